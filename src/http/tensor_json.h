#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "encoding/json_cursor.h"
#include "http/tensor_memory.h"
#include "tensor/tensor.h"

namespace cloister {

/// Reads the `data` of a tensor, flat or nested as `shape` is, straight into `memory`.
/// `name` stands in the Details only. Fails: `invalid` (the element is named), `too_large`.
Result<TensorView> read_tensor_data(JsonCursor& cursor, const std::string& name, DType type,
                                    const Shape& shape, TensorMemory& memory);

/// Bytes that write_tensor_data writes at most. Fails: `too_large`.
Result<std::uint64_t> tensor_text_bound(const TensorView& tensor);

/// Writes `tensor` as a flat JSON array to `text`, which has the bound's size; returns how many
/// bytes it took. Leaves no copy of any element elsewhere.
/// Fails: `unsupported` for what JSON cannot carry.
Result<std::size_t> write_tensor_data(const NamedTensorView& tensor, MutableBytes text);

}  // namespace cloister
