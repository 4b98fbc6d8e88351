#include "sandbox/lane.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "support/engine_models.h"

namespace cloister {
namespace {

constexpr std::size_t kBytes = kLaneDataOffset + 65536;

class Copies final : public Lane::OutputMemory {
 public:
  Result<MutableBytes> take(std::uint64_t bytes) override {
    blocks_.emplace_back(bytes);
    return MutableBytes(blocks_.back());
  }

 private:
  std::vector<ByteVector> blocks_;
};

class LaneTest : public ::testing::Test {
 protected:
  LaneTest()
      : memory_(static_cast<std::byte*>(std::aligned_alloc(4096, (kBytes + 4095) / 4096 * 4096)),
                std::free) {
    std::fill_n(memory_.get(), kBytes, std::byte{0});
    signature_.inputs = {spec_of("a", DType::f32, {2}), spec_of("b", DType::i64, {1})};
    signature_.optional_inputs = {spec_of("c", DType::u8, {3})};
    signature_.outputs = {spec_of("y", DType::f32, {2}), spec_of("t", DType::bytes, {1})};
    lane_.emplace(MutableBytes(memory_.get(), kBytes), signature_);
  }
  std::vector<NamedTensorView> answer() const { return {y_.view(), t_.view()}; }
  Code reply_code(std::uint64_t turn = 2, const std::vector<std::string>& outputs = {}) {
    Copies copies;
    auto reply = lane_->read_reply(turn, outputs, copies);
    return reply.ok() ? Code::conflict : reply.error().code;
  }

  const HeldTensor y_ = held_floats("y", {2}, {1, 2});
  const HeldTensor t_{"t", DType::bytes, {1}, {std::byte{1}, {}, {}, {}, std::byte{'x'}}};
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
  Signature signature_;
  std::optional<Lane> lane_;
};

TEST_F(LaneTest, RefusesEveryLieInAReply) {
  using Lie = std::function<void(LaneHead&)>;
  const std::vector<std::pair<const char*, Lie>> lies = {
      {"version", [](LaneHead& head) { head.reply.version = 2; }},
      {"turn", [](LaneHead& head) { head.reply.turn = 3; }},
      {"code", [](LaneHead& head) { head.reply.code = 1000; }},
      {"text", [](LaneHead& head) { head.reply.text_bytes = 1001; }},
      {"count", [](LaneHead& head) { head.reply.outputs = 1; }},
      {"name", [](LaneHead& head) { head.outputs[0].name = 2; }},
      {"order", [](LaneHead& head) { std::swap(head.outputs[0], head.outputs[1]); }},
      {"type", [](LaneHead& head) { head.outputs[0].type = 14; }},
      {"other type", [](LaneHead& head) { head.outputs[0].type = 8; }},
      {"rank", [](LaneHead& head) { head.outputs[0].rank = 33; }},
      {"offset", [](LaneHead& head) { head.outputs[0].offset = 1U << 20; }},
      {"alignment", [](LaneHead& head) { head.outputs[0].offset = 4; }},
      {"bytes", [](LaneHead& head) { head.outputs[0].bytes = ~std::uint64_t{0}; }},
      {"extent", [](LaneHead& head) { head.outputs[0].extents[0] = 3; }},
      {"text count", [](LaneHead& head) { head.outputs[1].extents[0] = 1U << 30; }},
      {"text bytes", [](LaneHead& head) { head.outputs[1].bytes = 4; }},
  };
  for (const auto& [name, lie] : lies) {
    lane_->write_reply(2, answer());
    ASSERT_EQ(reply_code(), Code::conflict);
    lie(lane_->head());
    EXPECT_EQ(reply_code(), Code::corrupt) << name;
  }
}

TEST_F(LaneTest, CopiesNoMoreThanTheLaneHolds) {
  // Two outputs over the same bytes, which together are more than the lane.
  signature_.outputs = {spec_of("y", DType::u8, {60'000}), spec_of("z", DType::u8, {60'000})};
  HeldTensor y{"y", DType::u8, {60'000}, ByteVector(60'000)};
  lane_->write_reply(2, {y.view()});
  LaneHead& head = lane_->head();
  head.outputs[1] = head.outputs[0];
  head.outputs[1].name = 1;
  head.reply.outputs = 2;
  EXPECT_EQ(reply_code(), Code::corrupt);
}

TEST_F(LaneTest, RefusesARequestThatBreaksARule) {
  const HeldTensor a = held_floats("a", {2}, {1, 2});
  HeldTensor unknown = a;
  unknown.name = "nobody";
  EXPECT_EQ(lane_->write_request(1, {unknown.view()}, {}, {}).error().code, Code::invalid);
  EXPECT_EQ(lane_->write_request(1, {a.view()}, {"none"}, {}).error().code, Code::invalid);
  const HeldTensor large{"c", DType::u8, {70'000}, ByteVector(70'000)};
  EXPECT_EQ(lane_->write_request(1, {large.view()}, {}, {}).error().code, Code::too_large);
  ASSERT_TRUE(lane_->write_request(1, {a.view()}, {}, {}).ok());
  EXPECT_EQ(lane_->read_request(2).error().code, Code::corrupt);
  lane_->head().inputs[0].name = 3;
  EXPECT_EQ(lane_->read_request(1).error().code, Code::corrupt);
}

TEST_F(LaneTest, CarriesARequest) {
  const HeldTensor a = held_floats("a", {2}, {1, 2});
  const HeldTensor c{"c", DType::u8, {3}, ByteVector(3, std::byte{9})};
  const SteadyTime deadline{std::chrono::nanoseconds(123'456'789)};
  ASSERT_TRUE(lane_->write_request(7, {c.view(), a.view()}, {"t", "y"}, deadline).ok());
  const Lane::Request request = lane_->read_request(7).value();
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(request.inputs[0].name, "c");
  EXPECT_EQ(copy_of(request.inputs[0].tensor.data), c.bytes);
  EXPECT_EQ(request.inputs[1].tensor.shape, Shape{2});
  EXPECT_EQ(request.outputs, (std::vector<std::string>{"t", "y"}));
  EXPECT_EQ(request.deadline, deadline);
}

TEST_F(LaneTest, CarriesAReplyInTheOrderAskedFor) {
  lane_->write_reply(2, {t_.view(), y_.view()});
  Copies copies;
  const auto reply = lane_->read_reply(2, {"t", "y"}, copies).value();
  EXPECT_EQ(copy_of(reply[0].tensor.data), t_.bytes);
  EXPECT_EQ(copy_of(reply[1].tensor.data), y_.bytes);
  EXPECT_EQ(reply_code(2, {"y", "t"}), Code::corrupt);
}

TEST_F(LaneTest, CarriesAnErrorOfTheFewThatAWorkerMayReport) {
  lane_->write_error(2, Code::deadline, "");
  EXPECT_EQ(reply_code(), Code::deadline);
  lane_->write_error(2, Code::denied, std::string(5000, 'x'));
  EXPECT_EQ(reply_code(), Code::internal);
}

}  // namespace
}  // namespace cloister
