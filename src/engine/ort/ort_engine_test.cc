#include "engine/ort/ort_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>

#include "base/byte_writer.h"
#include "base/posix/posix_clock.h"
#include "engine/ort/ort_runtime.h"
#include "engine/ort/ort_tensors.h"
#include "support/engine_models.h"

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

class OrtEngineTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine_ = make_ort_engine({.library = CLOISTER_ORT_LIBRARY}, clock_).value();
  }
  static void TearDownTestSuite() { engine_.reset(); }

  static std::unique_ptr<LoadedModel> loaded(const EngineExample& example) {
    return engine_->load({&example.bundle, std::as_bytes(std::span(example.weights))}).value();
  }
  static Code load_code(const GraphBundle& bundle, Bytes weights = {}) {
    auto model = engine_->load({&bundle, weights});
    return model.ok() ? Code::invalid : model.error().code;
  }

  inline static PosixClock clock_;
  inline static std::unique_ptr<Engine> engine_;
};

std::vector<float> sixty_four(float value) { return std::vector<float>(64, value); }

TEST_F(OrtEngineTest, RefusesThreadCountsOutOfRange) {
  EXPECT_EQ(make_ort_engine({.library = "x", .intra_op_threads = 0}, clock_).error().code,
            Code::invalid);
  EXPECT_EQ(make_ort_engine({.library = "x", .inter_op_threads = 65}, clock_).error().code,
            Code::invalid);
}

TEST_F(OrtEngineTest, RefusesWhatIsNoGraph) {
  GraphBundle bundle;
  EXPECT_EQ(load_code(bundle), Code::internal);
  bundle.graph = copy_of(bytes_of("this is no model"));
  EXPECT_EQ(load_code(bundle), Code::internal);
}

TEST_F(OrtEngineTest, PutsTheRuntimesReasonIntoTheDetail) {
  EngineExample example = weighted_example();
  OnnxGraph graph;
  graph.nodes = {onnx_node("NoSuchOperator", {"x"}, {"y"})};
  graph.inputs = {onnx_value("x", OnnxType::f32, {1})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {1})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.weights.clear();
  const auto model = engine_->load({&example.bundle, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_NE(DetailForTest::text(model.error()).find("NoSuchOperator"), std::string::npos);
}

TEST_F(OrtEngineTest, RefusesAWeightOutsideItsSegment) {
  const EngineExample example = weighted_example();
  const Bytes weights = std::as_bytes(std::span(example.weights));
  EXPECT_EQ(load_code(example.bundle, weights.first(255)), Code::corrupt);
  GraphBundle moved = example.bundle;
  moved.weights[0].offset = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(load_code(moved, weights), Code::corrupt);
}

TEST_F(OrtEngineTest, RefusesInputsThatWouldMisleadTheRuntime) {
  const EngineExample example = identity_example(OnnxType::boolean, DType::boolean);
  const auto model = loaded(example);
  RunControl control;
  const HeldTensor odd{"x", DType::boolean, {2}, {std::byte{1}, std::byte{2}}};
  EXPECT_EQ(model->run({odd.view()}, {}, control).error().code, Code::invalid);
  const HeldTensor few{"x", DType::boolean, {3}, {std::byte{1}, std::byte{0}}};
  EXPECT_EQ(model->run({few.view()}, {}, control).error().code, Code::invalid);
  const HeldTensor vast{"x", DType::boolean, {0, std::uint64_t{1} << 62}, {}};
  EXPECT_EQ(model->run({vast.view()}, {}, control).error().code, Code::too_large);
}

TEST_F(OrtEngineTest, FailsARunWithUnknownNames) {
  const EngineExample example = weighted_example();
  const auto model = loaded(example);
  RunControl control;
  const HeldTensor x = held_floats("x", {64}, sixty_four(1));
  HeldTensor other = x;
  other.name = "nobody";
  EXPECT_EQ(model->run({other.view()}, {}, control).error().code, Code::internal);
  EXPECT_EQ(model->run({x.view()}, {"nothing"}, control).error().code, Code::internal);
}

TEST_F(OrtEngineTest, RunsOnWeightsInPlace) {
  EngineExample example = weighted_example();
  const auto model = loaded(example);
  RunControl control;
  const HeldTensor x = held_floats("x", {64}, sixty_four(10));
  const auto first = model->run({x.view()}, {}, control).value();
  ASSERT_EQ(first->tensors().size(), 2U);
  EXPECT_EQ(first->tensors()[0].name, "y");
  EXPECT_EQ(first->tensors()[0].tensor.shape, Shape{64});
  EXPECT_EQ(floats_of(first->tensors()[0].tensor)[63], 74.0F);
  EXPECT_EQ(floats_of(first->tensors()[1].tensor)[63], 640.0F);
  example.weights[63] = 1000.0F;
  const auto second = model->run({x.view()}, {"y"}, control).value();
  ASSERT_EQ(second->tensors().size(), 1U);
  EXPECT_EQ(floats_of(second->tensors()[0].tensor)[63], 1010.0F) << "the weights were copied";
}

TEST_F(OrtEngineTest, FoldsConstantsOverWeightsOfTheSegment) {
  const EngineExample example = folding_example();
  const auto model = loaded(example);
  RunControl control;
  const HeldTensor x = held_floats("x", {64}, sixty_four(0.5F));
  const auto outputs = model->run({x.view()}, {}, control).value();
  EXPECT_EQ(floats_of(outputs->tensors()[0].tensor)[9], 20.5F);
}

TEST_F(OrtEngineTest, RunsAnOptimisedGraphAsItStands) {
  const EngineExample example = folding_example();
  const EngineModel model{&example.bundle, std::as_bytes(std::span(example.weights)),
                          GraphForm::optimised};
  const auto ready = engine_->load(model).value();
  RunControl control;
  const HeldTensor x = held_floats("x", {64}, sixty_four(0.5F));
  const auto outputs = ready->run({x.view()}, {}, control).value();
  EXPECT_EQ(floats_of(outputs->tensors()[0].tensor)[9], 20.5F);
}

TEST_F(OrtEngineTest, CarriesTextWithZeroBytesInIt) {
  const EngineExample example = identity_example(OnnxType::text, DType::bytes);
  const auto model = loaded(example);
  ByteWriter writer;
  for (const std::string& element : {std::string("a\0b", 3), std::string(), std::string("xyz")}) {
    writer.u32_le(static_cast<std::uint32_t>(element.size()));
    writer.bytes(bytes_of(element));
  }
  const HeldTensor x{"x", DType::bytes, {3}, std::move(writer).take()};
  RunControl control;
  const auto outputs = model->run({x.view()}, {}, control).value();
  const TensorView& y = outputs->tensors()[0].tensor;
  EXPECT_EQ(y.type, DType::bytes);
  EXPECT_EQ(copy_of(y.data), x.bytes);
}

TEST_F(OrtEngineTest, TakesEmptyAndMisalignedInputs) {
  const EngineExample example = identity_example(OnnxType::f64, DType::f64);
  const auto model = loaded(example);
  RunControl control;
  const HeldTensor none{"x", DType::f64, {0}, {}};
  EXPECT_TRUE(model->run({none.view()}, {}, control).value()->tensors()[0].tensor.data.empty());
  ByteVector bytes(3 * 8 + 1, std::byte{7});
  const NamedTensorView odd{"x", {DType::f64, {3}, Bytes(bytes).subspan(1)}};
  const auto outputs = model->run({odd}, {}, control).value();
  EXPECT_EQ(copy_of(outputs->tensors()[0].tensor.data), ByteVector(24, std::byte{7}));
}

TEST_F(OrtEngineTest, ReadsAlignedInputsInPlace) {
  const auto runtime = OrtRuntime::open(CLOISTER_ORT_LIBRARY).value();
  const HeldTensor x = held_floats("x", {64}, sixty_four(1));
  const OrtInput input = ort_input(*runtime, x.view().tensor).value();
  EXPECT_TRUE(input.aligned.empty());
  EXPECT_EQ(ort_output(*runtime, *input.value).value().tensor.data.data(), x.bytes.data());
}

TEST_F(OrtEngineTest, EndsARunAtItsDeadline) {
  const EngineExample example = endless_example();
  const auto model = loaded(example);
  const HeldTensor x = held_floats("x", {1}, {1.0F});
  RunControl control(clock_.steady() + std::chrono::milliseconds(30));
  EXPECT_EQ(model->run({x.view()}, {}, control).error().code, Code::deadline);
}

TEST_F(OrtEngineTest, EndsARunThatIsCancelledAndServesTheNext) {
  const EngineExample example = endless_example();
  const auto model = loaded(example);
  const HeldTensor x = held_floats("x", {1}, {1.0F});
  RunControl control;
  {
    const std::jthread caller([&] {
      EXPECT_EQ(model->run({x.view()}, {}, control).error().code, Code::unavailable);
    });
    control.cancel();
  }
  RunControl next(clock_.steady());
  EXPECT_EQ(model->run({x.view()}, {}, next).error().code, Code::deadline);
}

TEST_F(OrtEngineTest, RunsOneModelOnManyThreads) {
  const EngineExample example = weighted_example();
  const auto model = loaded(example);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const HeldTensor x = held_floats("x", {64}, sixty_four(static_cast<float>(t)));
      for (int i = 0; i < 200; ++i) {
        RunControl control;
        const auto outputs = model->run({x.view()}, {"y"}, control).value();
        EXPECT_EQ(floats_of(outputs->tensors()[0].tensor)[0], static_cast<float>(t + 1));
      }
    });
  }
}

}  // namespace
}  // namespace cloister
