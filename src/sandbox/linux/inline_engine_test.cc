#include "sandbox/linux/inline_engine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/engine_models.h"

namespace cloister {
namespace {

/// Writes `bytes` letters where the optimised graph goes, and loads nothing.
class WritingEngine final : public Engine {
 public:
  explicit WritingEngine(std::size_t bytes) : bytes_(bytes) {}
  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    if (model.write_optimised_to.empty()) return Error{Code::internal, "test.load"};
    EXPECT_FALSE(model.prepack);
    std::ofstream(model.write_optimised_to) << std::string(bytes_, 'o');
    return std::unique_ptr<LoadedModel>();
  }

 private:
  const std::size_t bytes_;
};

Result<PrivateMemory> optimised(std::size_t bytes) {
  const auto engine = make_inline_engine(std::make_unique<WritingEngine>(bytes), "runtime");
  const EngineExample example = folding_example();
  return engine->optimise({&example.bundle, std::as_bytes(std::span(example.weights))});
}

TEST(InlineEngine, ReturnsWhatTheOptimiserWrote) {
  const PrivateMemory written = optimised(10'000).value();
  ASSERT_EQ(written.size(), 10'000U);
  EXPECT_EQ(written.bytes()[9'999], std::byte{'o'});
}

TEST(InlineEngine, RefusesAnOptimiserThatWritesNothingOrTooMuch) {
  EXPECT_EQ(optimised(0).error().code, Code::corrupt);
  EXPECT_EQ(optimised(17U << 20).error().code, Code::too_large);
}

TEST(InlineEngine, LoadsAsTheEngineDoesAndNamesWhatFormsFit) {
  const auto engine = make_inline_engine(std::make_unique<WritingEngine>(1), "runtime");
  EXPECT_STREQ(engine->load({}).error().where.text, "test.load");
  EXPECT_TRUE(engine->optimises_for().starts_with("runtime form 1 cpu "));
  EXPECT_TRUE(engine->optimises_for().ends_with(" inline"));
  const auto unnamed = make_inline_engine(std::make_unique<WritingEngine>(1), "");
  EXPECT_EQ(unnamed->optimises_for(), "");
}

}  // namespace
}  // namespace cloister
