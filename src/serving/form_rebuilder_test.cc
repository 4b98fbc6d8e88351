#include "serving/form_rebuilder.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/posix/posix_clock.h"
#include "support/fake_entropy.h"
#include "support/faulty_files.h"
#include "support/staged_upload.h"

namespace cloister {
namespace {

const VersionRef kRef{{{"owner"}, "m"}, {1}};

/// An engine on some machine: what it makes of a model fits that machine alone.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(ByteVector optimised) : optimised_(std::move(optimised)) {}
  std::string machine = "one";
  std::atomic<int> made{0};

  std::string optimises_for() const override { return machine; }
  Result<PrivateMemory> optimise(const EngineModel&) override {
    CLOISTER_ASSIGN(PrivateMemory memory, PrivateMemory::reserve(optimised_.size()));
    std::ranges::copy(optimised_, memory.bytes().begin());
    ++made;
    made.notify_all();
    return memory;
  }
  Result<std::unique_ptr<LoadedModel>> load(const EngineModel&) override {
    return std::unique_ptr<LoadedModel>(std::make_unique<Model>());
  }

 private:
  class Model final : public LoadedModel {
   public:
    Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>&,
                                            const std::vector<std::string>&,
                                            RunControl&) override {
      return Error{Code::internal, "fake.run"};
    }
  };
  ByteVector optimised_;
};

class FormRebuilderTest : public testing::Test {
 protected:
  void SetUp() override {
    vault_ = open_vault({files_, entropy_, clock_, anchor_}, SecretBytes(ByteVector(32)), {}, true)
                 .value();
    auto staged = stage_upload(*vault_, admission_, kRef, product_upload(1));
    ASSERT_TRUE(vault_->commit(std::move(staged)).ok());
    residency_.emplace(engine_, *vault_, clock_, ResidencySettings{});
    stored_.emplace(vault_->versions());
  }
  /// Asks for a form and lets it be made.
  void rebuild() {
    const int before = engine_.made;
    FormRebuilder rebuilder({*vault_, *residency_, *stored_},
                            {engine_, admission_, clock_, events_}, {});
    rebuilder.want(kRef);
    engine_.made.wait(before);
  }  // which is over when the rebuilder is gone
  bool has_form_for(const std::string& machine) const {
    return vault_->open_version(kRef, {machine}).value().optimised;
  }

  FaultyFiles files_;
  CountingEntropy entropy_;
  PosixClock clock_;
  NoAnchor anchor_;
  NoEvents events_;
  const GraphAdmission admission_{AdmissionBudget{}};
  FakeEngine engine_{product_upload(1)};
  std::unique_ptr<Vault> vault_;
  std::optional<Residency> residency_;
  std::optional<StoredIndex> stored_;
};

TEST_F(FormRebuilderTest, MakesAFormAnewWhereTheMachineIsAnother) {
  rebuild();
  EXPECT_TRUE(has_form_for("one"));
  engine_.machine = "two";
  EXPECT_FALSE(has_form_for("two"));
  rebuild();
  EXPECT_TRUE(has_form_for("two"));
  EXPECT_FALSE(has_form_for("one")) << "a version has one form";
}

TEST_F(FormRebuilderTest, CountsWhatTheFormTakes) {
  const std::uint64_t before = stored_->usage_of({"owner"}).stored_bytes;
  rebuild();
  const std::uint64_t after = stored_->usage_of({"owner"}).stored_bytes;
  EXPECT_GT(after, before);
  EXPECT_EQ(after, vault_->find(kRef)->stored_bytes);
  EXPECT_EQ(stored_->usage_of({"owner"}).versions, 1U);
  EXPECT_EQ(residency_->resident_bytes(), 0U) << "what was set aside is given back";
}

TEST_F(FormRebuilderTest, TriesEachVersionOnce) {
  FormRebuilder rebuilder({*vault_, *residency_, *stored_},
                          {engine_, admission_, clock_, events_}, {});
  rebuilder.want(kRef);
  engine_.made.wait(0);
  for (int i = 0; i < 100; ++i) rebuilder.want(kRef);
  EXPECT_EQ(engine_.made, 1);
}

}  // namespace
}  // namespace cloister
