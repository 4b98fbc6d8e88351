// A lane whose head and data a worker wrote as it pleased. Property: whatever stands there, the
// server copies no more than the lane holds, and an accepted answer is consistent in itself.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "sandbox/lane.h"

namespace cloister {
namespace {

constexpr std::size_t kBytes = kLaneDataOffset + 4096;

class Copies final : public Lane::OutputMemory {
 public:
  Result<MutableBytes> take(std::uint64_t bytes) override {
    total_ += bytes;
    CLOISTER_CHECK(total_ <= kBytes - kLaneDataOffset);
    blocks_.push_back(std::make_unique<ByteVector>(bytes));
    return MutableBytes(*blocks_.back());
  }

 private:
  std::uint64_t total_ = 0;
  std::vector<std::unique_ptr<ByteVector>> blocks_;
};

void read_hostile(Bytes input) {
  static std::byte* const memory =
      static_cast<std::byte*>(std::aligned_alloc(4096, (kBytes + 4095) / 4096 * 4096));
  std::fill_n(memory, kBytes, std::byte{0});
  Signature signature;
  signature.outputs = {{"y", DType::f32, false, {}}, {"t", DType::bytes, false, {}}};
  const Lane lane({memory, kBytes}, signature);
  // The reply's fields, then the records, then the data, each from the front of what is left.
  const auto put = [&](void* to, std::size_t size) {
    const std::size_t count = std::min(size, input.size());
    std::copy_n(input.begin(), count, static_cast<std::byte*>(to));
    input = input.subspan(count);
  };
  RunReply reply;
  reply.turn = 2;
  put(&reply.code, sizeof(reply.code));
  put(&reply.outputs, sizeof(reply.outputs));
  put(&reply.text_bytes, sizeof(reply.text_bytes));
  lane.head().reply = reply;
  for (int i = 0; i < 2; ++i) put(&lane.head().outputs[static_cast<std::size_t>(i)], 56);
  put(memory + kLaneDataOffset, 4096);
  Copies copies;
  const auto tensors = lane.read_reply(2, {}, copies);
  if (!tensors.ok()) return;
  for (const NamedTensorView& each : tensors.value()) {
    const std::uint64_t count = element_count(each.tensor.shape).value();
    if (each.tensor.type == DType::bytes) continue;
    CLOISTER_CHECK(each.tensor.data.size() == count * element_bytes(each.tensor.type));
  }
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cloister::read_hostile(std::as_bytes(std::span(data, size)));
  return 0;
}
