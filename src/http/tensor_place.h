#pragma once

#include "http/tensor_memory.h"
#include "tensor/tensor.h"

namespace cloister {

/// `tensor`, or a copy of it in `memory` where its data is not aligned to its element: part of a
/// body may begin anywhere. Fails: `too_large`.
Result<TensorView> aligned_tensor(TensorView tensor, TensorMemory& memory);

}  // namespace cloister
