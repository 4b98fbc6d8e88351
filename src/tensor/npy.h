#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace cloister {

inline constexpr std::size_t kNpyHeaderMax = 64 * 1024;  ///< bytes of a header's text

/// One element as it stands in a `.npy` file.
enum class NpyKind { numeric, byte_string, utf32_string };

/// A `.npy` file taken apart. `data` lies in the file's bytes.
struct NpyArray {
  DType type = DType::f32;
  Shape shape;
  Bytes data;
  NpyKind kind = NpyKind::numeric;
  std::uint64_t item_bytes = 0;  ///< of one element in the file
  bool big_endian = false;
  bool fortran_order = false;    ///< only where it makes a difference
  /// 0 if `data` is the tensor as it stands; else the memory that npy_tensor needs at most.
  std::uint64_t conversion_bytes = 0;
};

/// Reads a `.npy` file of version 1 to 3: numbers, booleans, and strings of kind S and U (as BYTES;
/// U becomes UTF-8). Nothing is ever unpickled: objects and structures are refused, as are a shape
/// that does not match the data's size and trailing bytes.
/// Fails: `invalid`, `unsupported`, `too_large`; the Detail says what to save instead.
/// Source: NumPy Enhancement Proposal 1, and numpy.lib.format for versions 2 and 3.
Result<NpyArray> read_npy(Bytes file);

/// The array as a tensor: a view of the file, or its conversion (row-major, little-endian, strings
/// length-prefixed) in `memory`, which must hold `conversion_bytes`.
/// Fails: `invalid` for a code point that Unicode does not have.
Result<TensorView> npy_tensor(const NpyArray& array, MutableBytes memory);

/// How a tensor is written as `.npy`: `header`, then the tensor's own data, or, for BYTES, the
/// `item_bytes` * elements bytes that npy_fill_items writes.
struct NpyLayout {
  std::string header;            ///< a multiple of 64 bytes
  std::uint64_t item_bytes = 0;  ///< 0: the tensor's data follows as it is
  std::uint64_t data_bytes = 0;
};

/// Fails: `unsupported` for BF16, which NumPy does not have, and for BYTES that end in NUL, which
/// NumPy would cut; `too_large`.
Result<NpyLayout> npy_layout(const TensorView& tensor);
/// Writes the elements of a BYTES tensor that npy_layout accepted, each padded with NUL.
/// `items` is exactly `data_bytes` long.
void npy_fill_items(const TensorView& tensor, const NpyLayout& layout, MutableBytes items);

}  // namespace cloister
