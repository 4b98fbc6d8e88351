#include "serving/trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "support/fake_clock.h"
#include "support/fake_entropy.h"
#include "support/faulty_files.h"
#include "support/staged_upload.h"

namespace cloister {
namespace {

const VersionRef kRef{{{"owner"}, "m"}, {1}};

/// What was counted, and for whom.
class Hold final : public MemoryHold {
 public:
  void add(LoadedModel&, std::uint64_t beside) override {
    ++models;
    most = std::max(most, models);
    beside_all += beside;
  }
  void remove(LoadedModel&) override { --models; }
  bool exceeded_all() const override { return exceeded; }
  int models = 0;
  int most = 0;
  std::uint64_t beside_all = 0;
  bool exceeded = false;
};

/// An engine whose models' runs take what `cost` says of whether they are packed and of the rows of
/// their input.
class TimedEngine final : public Engine {
 public:
  TimedEngine(FakeClock& clock, ByteVector optimised)
      : clock_(clock), optimised_(std::move(optimised)) {}
  std::function<Result<std::chrono::milliseconds>(bool packed, std::uint64_t rows)> cost =
      [](bool, std::uint64_t) { return std::chrono::milliseconds(100); };
  std::uint64_t packed_overhead = 1ULL << 30;
  std::uint64_t deaths = 0;

  std::string optimises_for() const override { return "this"; }
  Result<PrivateMemory> optimise(const EngineModel&) override {
    CLOISTER_ASSIGN(PrivateMemory memory, PrivateMemory::reserve(optimised_.size()));
    std::ranges::copy(optimised_, memory.bytes().begin());
    return memory;
  }
  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    return std::unique_ptr<LoadedModel>(std::make_unique<Model>(*this, model.prepack));
  }

 private:
  class Model final : public LoadedModel {
   public:
    Model(TimedEngine& engine, bool packed) : engine_(engine), packed_(packed) {}
    Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>& inputs,
                                            const std::vector<std::string>&,
                                            RunControl&) override {
      CLOISTER_ASSIGN(const auto took, engine_.cost(packed_, inputs.at(0).tensor.shape.at(0)));
      engine_.clock_.advance(took);
      return std::unique_ptr<RunOutputs>(std::make_unique<NoOutputs>());
    }
    std::uint64_t overhead_bytes() const noexcept override {
      return packed_ ? engine_.packed_overhead : 0;
    }
    std::uint64_t deaths() const noexcept override { return engine_.deaths; }

   private:
    TimedEngine& engine_;
    const bool packed_;
  };

  FakeClock& clock_;
  ByteVector optimised_;
};

class TryOut : public testing::Test {
 protected:
  void SetUp() override {
    vault_ = open_vault({files_, entropy_, clock_, anchor_}, SecretBytes(ByteVector(32)), {}, true)
                 .value();
    staged_ = stage_upload(*vault_, admission_, kRef, product_upload(-1));
    ASSERT_TRUE(add_optimised_form(parts_, *staged_).value());
  }
  Result<std::vector<Finding>> try_out_run() {
    return try_out(parts_, {.run = true}, memory_, *staged_);
  }
  bool is_packed_after_trial() {
    EXPECT_TRUE(try_out_run().value().empty());
    EXPECT_TRUE(vault_->commit(std::move(staged_)).ok());
    return vault_->open_version(kRef, {"this"}).value().worth_packing;
  }

  FaultyFiles files_;
  CountingEntropy entropy_;
  FakeClock clock_;
  NoAnchor anchor_;
  NoEvents events_;
  const GraphAdmission admission_{AdmissionBudget{}};
  TimedEngine engine_{clock_, product_upload(-1)};
  const TrialParts parts_{engine_, admission_, clock_, events_};
  Hold memory_;
  std::unique_ptr<Vault> vault_;
  std::unique_ptr<StagedVersion> staged_;
};

TEST_F(TryOut, SaysThatMemoryWasShortWhereTheRunWasEndedForOthers) {
  engine_.cost = [](bool, std::uint64_t) { return Error{Code::unavailable, "test.memory"}; };
  engine_.deaths = 1;
  EXPECT_EQ(try_out_run().error().code, Code::unavailable);
}

TEST_F(TryOut, RefusesWhatTakesMoreMemoryThanThereIs) {
  engine_.cost = [](bool, std::uint64_t) { return Error{Code::unavailable, "test.memory"}; };
  engine_.deaths = 1;
  memory_.exceeded = true;
  const auto findings = try_out_run().value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings.front().rule, "trial-death");
}

TEST_F(TryOut, CountsWhatItTakesWhileItRuns) {
  engine_.cost = [&](bool packed, std::uint64_t) {
    EXPECT_GE(memory_.models, packed ? 2 : 1);
    return std::chrono::milliseconds(100);
  };
  EXPECT_TRUE(try_out_run().ok());
  EXPECT_EQ(memory_.most, 2) << "both that are compared";
  EXPECT_EQ(memory_.beside_all, kProductWeights);
  EXPECT_EQ(memory_.models, 0);
}

TEST_F(TryOut, DoesNotPackForMuchMemoryWhereLargerInputsGainNothing) {
  EXPECT_FALSE(is_packed_after_trial());
}

TEST_F(TryOut, PacksWhereLargerInputsGain) {
  engine_.cost = [](bool packed, std::uint64_t rows) {
    return std::chrono::milliseconds(packed && rows > 1 ? 70 : 100);
  };
  EXPECT_TRUE(is_packed_after_trial());
}

TEST_F(TryOut, JudgesByTheSmallestInputsWhereLargerOnesDoNotRun) {
  engine_.cost = [](bool packed, std::uint64_t rows) -> Result<std::chrono::milliseconds> {
    if (rows > 1) return Error{Code::invalid, "test.rows"};
    return std::chrono::milliseconds(packed ? 70 : 100);
  };
  EXPECT_TRUE(is_packed_after_trial());
}

}  // namespace
}  // namespace cloister
