#pragma once

#include <cstdint>
#include <memory>

#include "base/files.h"
#include "base/result.h"

namespace cloister {

/// What one ONNX file can hold: protocol buffers end there.
inline constexpr std::uint64_t kOneFileBytesMax = (1ULL << 31) - 1;
inline constexpr std::size_t kExternalTensorsMax = 1U << 16;
inline constexpr std::size_t kDataFilesMax = 1U << 12;

/// A model and what its values were gathered from.
struct FoldedModel {
  std::unique_ptr<File> file;     ///< reads as one ONNX file; cannot be written
  std::uint64_t tensors = 0;      ///< how many lay in other files
  std::uint64_t data_files = 0;   ///< how many those were
};

/// `model` as one file: tensors whose values lie in files of `folder` have them inside, everything
/// else is byte for byte as it was. Nothing is copied: the values are read when the result is read,
/// and memory grows with the number of those tensors alone. Where none is external, or `model` is
/// no ONNX file, the result is `model` itself.
/// Only plain names of regular files are followed: no path, no link.
/// Fails: `invalid` for another location and for ranges past a file's end, `not_found`, `too_large`
/// past a limit above, `io`; the Detail names tensor and file.
/// Source: ONNX 1.21, docs/ExternalData.md.
Result<FoldedModel> fold_external_data(std::unique_ptr<File> model, std::unique_ptr<Files> folder);

}  // namespace cloister
