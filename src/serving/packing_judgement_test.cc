#include "serving/packing_judgement.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/fake_clock.h"
#include "support/staged_upload.h"

namespace cloister {
namespace {

constexpr std::uint64_t kWeights = 400ULL << 20;

/// A model whose runs take what `cost` says, of processor time and `delay` more of time.
class TimedModel final : public LoadedModel {
 public:
  TimedModel(FakeClock& clock, std::function<double(int)> cost) : clock_(clock), cost_(cost) {}
  Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>&,
                                          const std::vector<std::string>&, RunControl&) override {
    if (fails) return Error{Code::internal, "test.run"};
    const auto cost = std::chrono::nanoseconds(static_cast<long long>(cost_(runs) * 1e6));
    busy_ += cost;
    clock_.advance(std::chrono::duration_cast<std::chrono::milliseconds>(cost + delay(runs)));
    ++runs;
    return std::unique_ptr<RunOutputs>(std::make_unique<NoOutputs>());
  }
  std::optional<std::chrono::nanoseconds> processor_time() const override { return busy_; }
  std::uint64_t overhead_bytes() const noexcept override { return overhead; }

  std::function<std::chrono::nanoseconds(int)> delay = [](int) {
    return std::chrono::nanoseconds(0);
  };
  std::uint64_t overhead = 0;
  bool fails = false;
  int runs = 0;

 private:
  FakeClock& clock_;
  std::function<double(int)> cost_;
  std::chrono::nanoseconds busy_{0};
};

class IsWorthPacking : public testing::Test {
 protected:
  std::optional<bool> judge() {
    return is_worth_packing({unpacked_, packed_, kWeights}, {}, clock_);
  }
  FakeClock clock_;
  double unpacked_ms_ = 100;
  double packed_ms_ = 100;
  double noise_ = 0;  // of both, up and down by turns of different lengths
  TimedModel unpacked_{clock_, [this](int i) { return unpacked_ms_ * (1 + noise_ * (i % 3 - 1)); }};
  TimedModel packed_{clock_, [this](int i) { return packed_ms_ * (1 + noise_ * (i % 5 - 2) / 2); }};
};

TEST_F(IsWorthPacking, SaysNoWhereItGainsNothing) {
  EXPECT_EQ(judge(), false);
  EXPECT_LE(packed_.runs, 8) << "that is clear at once";
}

TEST_F(IsWorthPacking, SaysNoWhereMuchMemoryGainsLittle) {
  packed_.overhead = kWeights;
  packed_ms_ = 98.5;
  EXPECT_EQ(judge(), false);
}

TEST_F(IsWorthPacking, SaysNoWhereMuchMemoryMayGainNothing) {
  packed_.overhead = kWeights;
  packed_ms_ = 99.5;
  noise_ = 0.2;
  EXPECT_EQ(judge(), false);
}

TEST_F(IsWorthPacking, SaysYesWhereLittleMemoryGainsLittle) {
  packed_ms_ = 98.5;
  EXPECT_EQ(judge(), true);
}

TEST_F(IsWorthPacking, SaysYesWhereLittleMemoryMayGainSomething) {
  packed_ms_ = 99.5;
  noise_ = 0.2;
  EXPECT_EQ(judge(), true);
}

TEST_F(IsWorthPacking, SaysYesWhereMuchMemoryGainsMuch) {
  packed_.overhead = kWeights;
  packed_ms_ = 75;
  noise_ = 0.05;
  EXPECT_EQ(judge(), true);
  EXPECT_LE(packed_.runs, 12);
}

TEST_F(IsWorthPacking, IsNotMisledByOtherWorkOnTheMachine) {
  packed_.delay = [](int i) { return std::chrono::milliseconds(300 + 100 * (i % 3)); };
  packed_ms_ = 80;
  EXPECT_EQ(judge(), true);
}

TEST_F(IsWorthPacking, SaysNothingWhereARunFails) {
  packed_.fails = true;
  EXPECT_EQ(judge(), std::nullopt);
}

TEST_F(IsWorthPacking, EndsInTimeWhereRunsAreSoSlowThatOneSaysAll) {
  unpacked_ms_ = 40'000;
  packed_ms_ = 30'000;
  const SteadyTime start = clock_.steady();
  EXPECT_EQ(judge(), true);
  EXPECT_LE(clock_.steady() - start, std::chrono::seconds(200));
}

TEST_F(IsWorthPacking, SaysNoWhereMuchMemoryWasNeverSeenToGain) {
  packed_.overhead = kWeights;
  unpacked_ms_ = packed_ms_ = 70'000;
  const SteadyTime start = clock_.steady();
  EXPECT_EQ(judge(), false);
  EXPECT_LE(clock_.steady() - start, std::chrono::seconds(200));
}

TEST_F(IsWorthPacking, SaysYesWhereMuchMemoryGainsMuchOnASlowMachine) {
  packed_.overhead = kWeights;
  packed_ms_ = 75;
  packed_.delay = unpacked_.delay = [](int) { return std::chrono::seconds(9); };
  EXPECT_EQ(judge(), true);
}

TEST_F(IsWorthPacking, EndsInTime) {
  unpacked_ms_ = packed_ms_ = 4'000;
  noise_ = 0.2;
  const SteadyTime start = clock_.steady();
  EXPECT_EQ(judge(), true);
  EXPECT_LE(clock_.steady() - start, std::chrono::seconds(60));
}

TEST(IsMedianAbove, LeavesAFewValuesOpen) {
  EXPECT_FALSE(is_median_above({}, 1).has_value());
  EXPECT_FALSE(is_median_above({2, 2, 2, 2}, 1).has_value());
}

TEST(IsMedianAbove, NeedsAllOfFiveButNotAllOfMany) {
  EXPECT_FALSE(is_median_above({2, 2, 2, 2, 0.5}, 1).has_value());
  EXPECT_EQ(is_median_above({2, 2, 2, 2, 2}, 1), true);
  EXPECT_EQ(is_median_above({0.5, 0.5, 0.5, 0.5, 0.5}, 1), false);
  std::vector<double> many(16, 2.0);
  std::fill_n(many.begin(), 4, 0.5);
  EXPECT_EQ(is_median_above(many, 1), true);
  std::fill_n(many.begin(), 8, 0.5);
  EXPECT_FALSE(is_median_above(many, 1).has_value());
}

}  // namespace
}  // namespace cloister
