// Property: what is accepted converts to a tensor whose size fits its shape, and a tensor that
// can be written as npy reads back the same.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "tensor/npy.h"

namespace cloister {
namespace {

/// Writes and reads back. `first` is in memory that outlives this.
void check_round_trip(const TensorView& first) {
  const Result<NpyLayout> layout = npy_layout(first);
  if (!layout.ok()) {
    CLOISTER_CHECK(layout.error().code == Code::too_large);
    return;
  }
  std::string file = layout.value().header;
  if (layout.value().item_bytes == 0) {
    file += text_of(first.data);
  } else {
    const std::size_t header_bytes = file.size();
    file.resize(header_bytes + layout.value().data_bytes);
    npy_fill_items(first, layout.value(),
                   std::as_writable_bytes(std::span(file)).subspan(header_bytes));
  }
  const NpyArray again = read_npy(bytes_of(file)).value();
  std::vector<std::byte> memory(again.conversion_bytes);
  const TensorView tensor = npy_tensor(again, memory).value();
  CLOISTER_CHECK(tensor.type == first.type && tensor.shape == first.shape);
  CLOISTER_CHECK(text_of(tensor.data) == text_of(first.data));
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Result<NpyArray> array = read_npy(std::as_bytes(std::span(data, size)));
  if (!array.ok()) return 0;
  CLOISTER_CHECK(array.value().conversion_bytes <= 5 * size);
  std::vector<std::byte> memory(array.value().conversion_bytes);
  const Result<TensorView> tensor = npy_tensor(array.value(), memory);
  if (!tensor.ok()) return 0;
  const std::uint64_t count = element_count(tensor.value().shape).value();
  if (tensor.value().type == DType::bytes) {
    CLOISTER_CHECK(bytes_elements(tensor.value().data, count).ok());
  } else {
    CLOISTER_CHECK(tensor.value().data.size() ==
                   count * element_bytes(tensor.value().type));
  }
  check_round_trip(tensor.value());
  return 0;
}
