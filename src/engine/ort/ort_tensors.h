#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/ort/ort_runtime.h"
#include "tensor/tensor.h"

namespace cloister {

/// The runtime's number for an element type.
int ort_element_type(DType type) noexcept;
std::optional<DType> dtype_of_ort(int element_type) noexcept;

/// A value of the runtime's for one input or initializer, and what it stands on.
struct OrtInput {
  OrtOwned<OrtValue> value;
  std::vector<std::uint64_t> aligned;  ///< a copy, only where the caller's memory is misaligned
};

/// `tensor` as the runtime takes it, over the same memory, which must outlive the result; text is
/// converted, misaligned memory copied. Fails: `invalid` (a boolean that is neither 0 nor 1, bytes
/// that do not fit the shape), `too_large`, `internal`.
Result<OrtInput> ort_input(const OrtRuntime& runtime, const TensorView& tensor);

/// One output: a view into `value`, or into `text` for `bytes` tensors.
struct OrtOutput {
  TensorView tensor;
  ByteVector text;
};
/// Fails: `internal` (no tensor, a type that the protocol lacks), `too_large`.
Result<OrtOutput> ort_output(const OrtRuntime& runtime, OrtValue& value);

}  // namespace cloister
