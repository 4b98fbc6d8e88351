#include "sandbox/linux/sandbox_engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/byte_writer.h"
#include "base/posix/posix_clock.h"
#include "sandbox/linux/memory_file.h"
#include "secret/private_memory.h"
#include "support/engine_models.h"

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

using std::chrono::milliseconds;

class SandboxTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    program_ = seal_file(CLOISTER_WORKER).value();
    hostile_ = seal_file(CLOISTER_HOSTILE_WORKER).value();
    library_ = seal_file(CLOISTER_ORT_LIBRARY).value();
  }
  static SandboxSettings settings_of(const SealedFile& program) {
    SandboxSettings settings;
    settings.program = {program.file.number(), library_.file.number(), {"1", "1"}};
    settings.spares = 0;
    settings.restart_first = milliseconds(0);
    settings.grace = milliseconds(50);
    return settings;
  }
  std::unique_ptr<SandboxEngine> honest() {
    return make_sandbox_engine(settings_of(program_), clock_).value();
  }
  static std::unique_ptr<LoadedModel> loaded(Engine& engine, const EngineExample& example) {
    return engine.load({&example.bundle, std::as_bytes(std::span(example.weights))}).value();
  }

  inline static SealedFile program_;
  inline static SealedFile hostile_;
  inline static SealedFile library_;
  PosixClock clock_;
};

/// A model whose first input tells the hostile worker what to do; y is to be x.
EngineExample told_to(const std::string& rule) {
  EngineExample example;
  example.bundle.signature.inputs = {spec_of(rule, DType::f32, {4})};
  example.bundle.signature.outputs = {spec_of("y", DType::f32, {4}),
                                      spec_of("z", DType::f32, {4})};
  example.bundle.graph = copy_of(bytes_of(rule));
  example.bundle.weights = {{"w", DType::f32, {1024}, 0, 4096}};
  example.bundle.weights_bytes = 4096;
  example.weights = std::vector<float>(1024, 1.0F);
  return example;
}

class HostileWorkerTest : public SandboxTest {
 protected:
  HostileWorkerTest() {
    SandboxSettings settings = settings_of(hostile_);
    settings.lanes = 1;
    settings.worker_memory_max = 256ULL << 20;
    settings.load_time_max = std::chrono::seconds(1);
    settings.deaths_max = 1000;
    engine_ = make_sandbox_engine(settings, clock_).value();
  }
  /// What one run comes to; a run without an answer within a minute is a failure in itself.
  Result<std::unique_ptr<RunOutputs>> run(LoadedModel& model, const std::string& rule,
                                          float first = 1.0F,
                                          std::chrono::seconds limit = std::chrono::seconds(60)) {
    RunControl control(clock_.steady() + limit);
    const HeldTensor x = held_floats(rule, {4}, {first, 2, 3, 4});
    return model.run({x.view()}, {"y"}, control);
  }
  std::unique_ptr<SandboxEngine> engine_;
};

TEST_F(HostileWorkerTest, CostsTheRequestAndItselfWhateverItLiesAbout) {
  for (const char* rule : {"size", "shape", "range", "type", "rank", "name", "count", "version",
                           "stale", "code", "text", "turn", "flood", "abort", "crash"}) {
    const EngineExample example = told_to(rule);
    const auto model = loaded(*engine_, example);
    for (int round = 0; round < 2; ++round) {  // the second meets a fresh worker
      const auto result = run(*model, rule);
      ASSERT_FALSE(result.ok()) << rule;
      EXPECT_EQ(result.error().code, Code::internal) << rule;
    }
  }
}

TEST_F(HostileWorkerTest, CannotSpeakWithTheServersVoice) {
  const EngineExample example = told_to("denied");
  const auto model = loaded(*engine_, example);
  EXPECT_EQ(run(*model, "denied").error().code, Code::internal);
}

TEST_F(HostileWorkerTest, IsEndedAfterTheDeadlineWhenItHangs) {
  const EngineExample example = told_to("hang");
  const auto model = loaded(*engine_, example);
  EXPECT_EQ(run(*model, "hang", 1.0F, std::chrono::seconds(0)).error().code, Code::deadline);
}

TEST_F(HostileWorkerTest, IsEndedWhenItHangsOrDiesWhileLoading) {
  const EngineExample dying = told_to("die at load");
  EXPECT_EQ(engine_->load({&dying.bundle, {}}).error().code, Code::internal);
  const EngineExample hanging = told_to("hang at load");
  EXPECT_EQ(engine_->load({&hanging.bundle, {}}).error().code, Code::unavailable);
}

TEST_F(HostileWorkerTest, ChangesNothingThatWasChecked) {
  const EngineExample example = told_to("change");
  for (int i = 0; i < 10; ++i) {
    const auto model = loaded(*engine_, example);
    const auto result = run(*model, "change");
    // Either the copy was taken before the change or the change was caught.
    if (result.ok()) {
      EXPECT_EQ(result.value()->tensors()[0].tensor.data.size(), 16U);
    } else {
      EXPECT_EQ(result.error().code, Code::internal);
    }
  }
}

TEST_F(HostileWorkerTest, GetsNoMoreMemoryThanItsBound) {
  const EngineExample example = told_to("memory");
  const auto model = loaded(*engine_, example);
  const auto result = run(*model, "memory");
  ASSERT_FALSE(result.ok());
  const std::string text = DetailForTest::text(result.error());
  ASSERT_TRUE(text.starts_with("stopped at ")) << text;
  EXPECT_LE(std::stoi(text.substr(11)), 256);
}

TEST_F(HostileWorkerTest, FindsEveryDoorShut) {
  const EngineExample example = told_to("probe");
  const auto model = loaded(*engine_, example);
  const auto result = run(*model, "probe", static_cast<float>(::getpid()));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(DetailForTest::text(result.error()), "all denied");
}

TEST_F(HostileWorkerTest, CannotWriteWeightsThatItWasLent) {
  PrivateMemory lent = PrivateMemory::reserve_shareable(4096).value();
  const EngineExample example = told_to("probe");
  EngineModel description{&example.bundle, lent.bytes()};
  description.weights_file = lent.file();
  const auto model = engine_->load(description).value();
  const auto result = run(*model, "probe", static_cast<float>(::getpid()));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(DetailForTest::text(result.error()), "all denied");
}

TEST_F(HostileWorkerTest, WritesNoMoreThanItsOneFileAndItsBoundAsOptimiser) {
  const EngineExample nothing = told_to("silent");
  EXPECT_EQ(engine_->optimise({&nothing.bundle, {}}).error().code, Code::corrupt);
  const EngineExample stray = told_to("stray");
  const PrivateMemory written = engine_->optimise({&stray.bundle, {}}).value();
  EXPECT_EQ(text_of(written.bytes()), "stray");
  const EngineExample endless = told_to("endless");
  const auto result = engine_->optimise({&endless.bundle, {}});
  if (result.ok()) {
    EXPECT_LE(result.value().size(), 17U << 20);
  }
}

TEST_F(HostileWorkerTest, CarriesNothingFromOneCallerToAnother) {
  const EngineExample example = told_to("remember");
  for (const WorkerScope scope :
       {WorkerScope::model, WorkerScope::principal, WorkerScope::request}) {
    SandboxSettings settings = settings_of(hostile_);
    settings.lanes = 1;
    settings.scope = scope;
    const auto engine = make_sandbox_engine(settings, clock_).value();
    const auto model = loaded(*engine, example);
    float value = 1;
    const auto said = [&](const std::string& caller) {
      RunControl control(clock_.steady() + std::chrono::seconds(60));
      control.set_caller(caller);
      const HeldTensor x = held_floats("remember", {4}, {value++, 2, 3, 4});
      return DetailForTest::text(model->run({x.view()}, {"y"}, control).error());
    };
    // What a caller is told is what the same worker saw before: whose is it?
    const bool shared = scope == WorkerScope::model;
    const bool own = scope != WorkerScope::request;
    EXPECT_EQ(said("anna"), "before: 0");                     // 1
    EXPECT_EQ(said("anna"), own ? "before: 1" : "before: 0");   // 2
    EXPECT_EQ(said("ben"), shared ? "before: 2" : "before: 0");  // 3
    EXPECT_EQ(said("anna"), shared ? "before: 3" : own ? "before: 2" : "before: 0");
    for (const char* caller : {"cleo", "dora", "emil", "fay"}) {
      if (!shared) {
        EXPECT_EQ(said(caller), "before: 0") << caller;
      }
    }
    EXPECT_EQ(model->deaths(), 0U) << "those that were replaced did not die";
  }
}

TEST_F(HostileWorkerTest, IsQuarantinedWhenItKeepsDying) {
  SandboxSettings settings = settings_of(hostile_);
  settings.lanes = 1;
  settings.deaths_max = 3;
  const auto engine = make_sandbox_engine(settings, clock_).value();
  const EngineExample example = told_to("abort");
  EngineModel description{&example.bundle, std::as_bytes(std::span(example.weights))};
  description.version = VersionRef{{{"owner"}, "bad"}, {1}};
  const auto model = engine->load(description).value();
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(model->deaths(), i);
    EXPECT_NE(engine->standing(*description.version), Standing::quarantined);
    EXPECT_EQ(run(*model, "abort").error().code, Code::internal);
  }
  EXPECT_EQ(run(*model, "abort").error().code, Code::unavailable);
  EXPECT_EQ(engine->standing(*description.version), Standing::quarantined);
  EXPECT_EQ(engine->load(description).error().code, Code::unavailable);
  description.version->version.value = 2;
  EXPECT_TRUE(engine->load(description).ok()) << "another version is not to blame";
  const EngineExample other = told_to("honest");
  EXPECT_TRUE(run(*loaded(*engine, other), "honest").ok());
}

TEST_F(SandboxTest, RefusesSettingsOutOfRangeAndProgramsThatDoNotStart) {
  SandboxSettings settings = settings_of(program_);
  settings.lanes = 0;
  EXPECT_EQ(make_sandbox_engine(settings, clock_).error().code, Code::invalid);
  settings = settings_of(library_);  // no program
  EXPECT_EQ(make_sandbox_engine(settings, clock_).error().code, Code::unavailable);
  settings = settings_of(program_);
  settings.program.library = program_.file.number();  // no library
  EXPECT_FALSE(Confinement::of(std::vector<std::string>{"magic"}).ok());
  EXPECT_EQ(make_sandbox_engine(settings, clock_).error().code, Code::unavailable);
}

TEST_F(SandboxTest, SaysWhatIsInForceAndRefusesLess) {
  const auto engine = honest();
  Confinement demanded = engine->in_force();
  EXPECT_TRUE(demanded.landlock);
  EXPECT_TRUE(demanded.covers(demanded));
  const std::vector<std::string> words = {"limits", "landlock"};
  EXPECT_TRUE(demanded.covers(Confinement::of(words).value()));
  EXPECT_TRUE(demanded.words().starts_with("seccomp limits landlock")) << demanded.words();
  demanded.own_user = true;
  demanded.user_namespace = true;  // never both
  EXPECT_FALSE(engine->in_force().covers(demanded));
  SandboxSettings settings = settings_of(program_);
  settings.demanded = demanded;
  EXPECT_EQ(make_sandbox_engine(settings, clock_).error().code, Code::unavailable);
}

TEST_F(SandboxTest, TellsWhyTheRuntimeRefusesAModel) {
  const auto engine = honest();
  EngineExample example = identity_example(OnnxType::f32, DType::f32);
  OnnxGraph graph;
  graph.nodes = {onnx_node("NoSuchOperator", {"x"}, {"y"})};
  graph.inputs = {onnx_value("x", OnnxType::f32, {1})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {1})};
  example.bundle.graph = onnx_model(graph);
  const auto model = engine->load({&example.bundle, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::internal);
  EXPECT_NE(DetailForTest::text(model.error()).find("NoSuchOperator"), std::string::npos);
}

TEST_F(SandboxTest, RunsAsTheEngineInThisProcessDoes) {
  SandboxSettings settings = settings_of(program_);
  for (const bool optimised : {false, true}) {
    // More threads are there before the door closes.
    settings.program.arguments = {optimised ? "3" : "1", "1"};
    const auto engine = make_sandbox_engine(settings, clock_).value();
    const EngineExample example = weighted_example();
    auto outcome = engine->load({&example.bundle, std::as_bytes(std::span(example.weights)),
                                 optimised ? GraphForm::optimised : GraphForm::canonical});
    ASSERT_TRUE(outcome.ok()) << DetailForTest::text(outcome.error());
    const auto model = std::move(outcome).value();
    const HeldTensor x = held_floats("x", {64}, std::vector<float>(64, 10.0F));
    for (int i = 0; i < 100; ++i) {
      RunControl control;
      const auto ran = model->run({x.view()}, {}, control);
      ASSERT_TRUE(ran.ok()) << DetailForTest::text(ran.error());
      const RunOutputs* const outputs = ran.value().get();
      ASSERT_EQ(outputs->tensors().size(), 2U);
      EXPECT_EQ(outputs->tensors()[0].name, "y");
      EXPECT_EQ(floats_of(outputs->tensors()[0].tensor)[63], 74.0F);
      EXPECT_EQ(floats_of(outputs->tensors()[1].tensor)[63], 640.0F);
    }
    EXPECT_GT(model->overhead_bytes(), 0U);
    EXPECT_GT(model->processor_time().value().count(), 0);
    EXPECT_EQ(engine->worker_deaths(), 0U);
  }
}

TEST_F(SandboxTest, ReadsLentWeightsInPlace) {
  const auto engine = honest();
  const EngineExample example = weighted_example();
  PrivateMemory lent = PrivateMemory::reserve_shareable(256).value();
  std::ranges::copy(std::as_bytes(std::span(example.weights)), lent.bytes().begin());
  EngineModel description{&example.bundle, lent.bytes(), GraphForm::optimised};
  description.weights_file = lent.file();
  const auto model = engine->load(description).value();
  const HeldTensor x = held_floats("x", {64}, std::vector<float>(64, 10.0F));
  RunControl control;
  const auto first = model->run({x.view()}, {"y"}, control).value();
  EXPECT_EQ(floats_of(first->tensors()[0].tensor)[63], 74.0F);
  lent.bytes()[255] = std::byte{0};  // the top of the last float: 64 becomes almost nothing
  const auto second = model->run({x.view()}, {"y"}, control).value();
  EXPECT_EQ(floats_of(second->tensors()[0].tensor)[63], 10.0F) << "the weights were copied";
}

TEST_F(SandboxTest, TellsAFaultOfTheInputsFromOneOfTheModel) {
  const auto engine = honest();
  EngineExample example = weighted_example();
  OnnxGraph graph;
  graph.nodes = {onnx_node("Gather", {"w", "x"}, {"y"})};
  graph.initializers = {onnx_weight("w", OnnxType::f32, {64}, 0, 256)};
  graph.inputs = {onnx_value("x", OnnxType::i64, {1})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {1})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.signature.inputs = {spec_of("x", DType::i64, {1})};
  example.bundle.signature.outputs = {spec_of("y", DType::f32, {1})};
  const auto index = [](std::int64_t place) {
    return HeldTensor{"x", DType::i64, {1}, copy_of(std::as_bytes(std::span(&place, 1)))};
  };
  const auto model = loaded(*engine, example);
  RunControl control;
  const HeldTensor outside = index(64);
  const auto refused = model->run({outside.view()}, {}, control);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_NE(DetailForTest::text(refused.error()).find("Gather"), std::string::npos);
  const HeldTensor inside = index(63);
  const auto answer = model->run({inside.view()}, {}, control).value();
  EXPECT_EQ(floats_of(answer->tensors()[0].tensor), std::vector<float>{64});
  EXPECT_EQ(model->deaths(), 0U);
}

TEST_F(SandboxTest, OptimisesIntoAFile) {
  const auto engine = honest();
  const EngineExample example = folding_example();
  const auto optimised =
      engine->optimise({&example.bundle, std::as_bytes(std::span(example.weights))});
  ASSERT_TRUE(optimised.ok()) << DetailForTest::text(optimised.error());
  const std::string_view text = text_of(optimised.value().bytes());
  const std::string_view add("\x22\x03" "Add", 5);  // a node's operator
  ASSERT_NE(text.find(add), std::string_view::npos);
  EXPECT_EQ(text.find(add), text.rfind(add)) << "the sum of constants was not folded";
  EXPECT_EQ(text.find("external"), std::string_view::npos);
}

TEST_F(SandboxTest, CarriesText) {
  const auto engine = honest();
  const EngineExample example = identity_example(OnnxType::text, DType::bytes);
  const auto model = loaded(*engine, example);
  ByteWriter writer;
  for (const std::string& element : {std::string("a\0b", 3), std::string(), std::string("xyz")}) {
    writer.u32_le(static_cast<std::uint32_t>(element.size()));
    writer.bytes(bytes_of(element));
  }
  const HeldTensor x{"x", DType::bytes, {3}, std::move(writer).take()};
  RunControl control;
  const auto outputs = model->run({x.view()}, {}, control).value();
  EXPECT_EQ(copy_of(outputs->tensors()[0].tensor.data), x.bytes);
}

TEST_F(SandboxTest, SaysThatInputsWereCopiedOnceNothingReadsThem) {
  const auto engine = honest();
  const EngineExample example = weighted_example();
  const auto model = loaded(*engine, example);
  HeldTensor x = held_floats("x", {64}, std::vector<float>(64, 10.0F));
  int said = 0;
  RunControl control;
  control.on_inputs_copied([&] {
    ++said;
    std::ranges::fill(x.bytes, std::byte{0xff});
  });
  const auto ran = model->run({x.view()}, {}, control);
  ASSERT_TRUE(ran.ok());
  EXPECT_EQ(said, 1);
  EXPECT_EQ(floats_of(ran.value()->tensors()[0].tensor)[63], 74.0F);
}

TEST_F(SandboxTest, RefusesInputsThatTheLaneCannotHold) {
  SandboxSettings settings = settings_of(program_);
  settings.lane_bytes = 2ULL << 20;
  const auto engine = make_sandbox_engine(settings, clock_).value();
  const EngineExample example = identity_example(OnnxType::f64, DType::f64);
  const auto model = loaded(*engine, example);
  const HeldTensor large{"x", DType::f64, {1U << 18}, ByteVector(2U << 20)};
  RunControl control;
  control.on_inputs_copied([] { ADD_FAILURE() << "they were not"; });
  EXPECT_EQ(model->run({large.view()}, {}, control).error().code, Code::too_large);
  control.on_inputs_copied(nullptr);
  const HeldTensor small{"x", DType::f64, {1}, ByteVector(8)};
  EXPECT_TRUE(model->run({small.view()}, {}, control).ok());
}

TEST_F(SandboxTest, EndsARunAtItsDeadlineOrWhenItsCallerLeaves) {
  const auto engine = honest();
  const EngineExample example = endless_example();
  const auto model = loaded(*engine, example);
  const HeldTensor x = held_floats("x", {1}, {1.0F});
  RunControl late(clock_.steady() + milliseconds(30));
  EXPECT_EQ(model->run({x.view()}, {}, late).error().code, Code::deadline);
  RunControl left;
  {
    const std::jthread caller([&] {
      EXPECT_EQ(model->run({x.view()}, {}, left).error().code, Code::unavailable);
    });
    left.cancel();
  }
}

TEST_F(SandboxTest, RunsOneModelOnMoreThreadsThanLanes) {
  const auto engine = honest();
  const EngineExample example = weighted_example();
  const auto model = loaded(*engine, example);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const HeldTensor x =
          held_floats("x", {64}, std::vector<float>(64, static_cast<float>(t)));
      for (int i = 0; i < 200; ++i) {
        RunControl control;
        const auto outputs = model->run({x.view()}, {"y"}, control);
        ASSERT_TRUE(outputs.ok());
        EXPECT_EQ(floats_of(outputs.value()->tensors()[0].tensor)[0], static_cast<float>(t + 1));
      }
    });
  }
}

}  // namespace
}  // namespace cloister
