#include "http/tensor_place.h"

#include <algorithm>
#include <cstdint>

namespace cloister {

Result<TensorView> aligned_tensor(TensorView tensor, TensorMemory& memory) {
  const std::size_t element = element_bytes(tensor.type);
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.data.data());
  if (element <= 1 || address % element == 0) return tensor;
  CLOISTER_ASSIGN(const MutableBytes copy, memory.take(tensor.data.size()));
  std::ranges::copy(tensor.data, copy.begin());
  tensor.data = copy;
  return tensor;
}

}  // namespace cloister
