// The optimised form of a version, and versions whose weights are used while they still arrive.
#include <algorithm>

#include "support/vault_fixture.h"

namespace cloister {
namespace {

class FormTest : public VaultFixture {
 protected:
  /// A vault with version 1, whose canonical model is `canonical_` and whose form is `form_`.
  std::unique_ptr<Vault> with_form() {
    auto vault = open(true).value();
    auto staged = vault->stage(record_of(canonical_, ref(1)), canonical_.model()).value();
    EXPECT_TRUE(staged->add({form_.model(), "this"}).ok());
    staged->set_worth_packing(false);
    EXPECT_TRUE(vault->commit(std::move(staged)).ok());
    return vault;
  }
  static bool holds(const Result<OpenedModel>& opened, const SampleModel& sample) {
    return opened.ok() &&
           equal_in_constant_time(opened.value().weights.bytes(), sample.weights());
  }
  std::size_t version_files() {
    const auto contents = files_.contents();
    return static_cast<std::size_t>(std::ranges::count_if(
        contents, [](const auto& each) { return each.first.starts_with("versions/"); }));
  }
  /// Changes the last byte of the version file of `bytes` of weights.
  void damage(std::size_t bytes) {
    for (const auto& [path, content] : files_.contents()) {
      if (!path.starts_with("versions/")) continue;
      const bool wanted = (content.size() > 2'000'000) == (bytes > 2'000'000);
      if (!wanted) continue;
      ByteVector damaged = content;
      damaged.back() ^= std::byte{1};
      files_.plant(path, damaged);
    }
  }

  const SampleModel canonical_{1, 100, 5000};
  const SampleModel form_{2, 100, 2'500'000};
};

TEST_F(FormTest, RefusesAFormThatFitsNothing) {
  const auto vault = open(true).value();
  const auto staged = vault->stage(record_of(canonical_, ref(1)), canonical_.model()).value();
  EXPECT_EQ(staged->add({form_.model(), ""}).error().code, Code::invalid);
  EXPECT_EQ(staged->add({form_.model(), std::string(257, 'x')}).error().code, Code::invalid);
}

TEST_F(FormTest, OpensTheFormOnlyWhereItFits) {
  const auto vault = with_form();
  EXPECT_TRUE(holds(vault->open_version(ref(1)), canonical_));
  EXPECT_TRUE(holds(vault->open_version(ref(1), {"other"}), canonical_));
  const auto opened = vault->open_version(ref(1), {"this"});
  EXPECT_TRUE(holds(opened, form_));
  EXPECT_TRUE(opened.value().optimised);
  EXPECT_FALSE(opened.value().worth_packing);
}

TEST_F(FormTest, KeepsTheFormOverARestart) {
  const std::uint64_t bytes = with_form()->find(ref(1))->stored_bytes;
  EXPECT_GT(bytes, 2'505'000U) << "the form counts";
  const auto vault = open().value();
  EXPECT_TRUE(holds(vault->open_version(ref(1), {"this"}), form_));
  EXPECT_EQ(vault->find(ref(1))->stored_bytes, bytes);
  // Once more from a whole catalogue.
  for (std::uint64_t i = 2; i < 20; ++i) ASSERT_TRUE(upload(*vault, canonical_, ref(i)).ok());
  EXPECT_TRUE(holds(vault->open_version(ref(1), {"this"}), form_));
}

TEST_F(FormTest, TellsADamagedFormFromADamagedVersion) {
  with_form();
  damage(2'500'000);
  const StoreReport report =
      verify_store({files_, entropy_, clock_, no_anchor_}, root_secret(), settings_).value();
  EXPECT_EQ(report.whole, 1U);
  ASSERT_EQ(report.damaged.size(), 1U);
  EXPECT_TRUE(report.damaged[0].form);
  EXPECT_GT(files_.contents().at(report.damaged[0].file).size(), 2'000'000U);
}

TEST_F(FormTest, PassesOverAFormThatIsDamaged) {
  const auto vault = with_form();
  damage(2'500'000);
  const auto opened = vault->open_version(ref(1), {"this"});
  EXPECT_TRUE(holds(opened, canonical_));
  EXPECT_FALSE(opened.value().optimised);
}

TEST_F(FormTest, ReplacesAFormAndRemovesTheOldFile) {
  const SampleModel other(3, 100, 3'000'000);
  const auto vault = with_form();
  EXPECT_EQ(version_files(), 2U);
  auto staged = vault->restage(ref(1)).value();
  ASSERT_TRUE(staged->add({other.model(), "that"}).ok());
  ASSERT_TRUE(vault->commit(std::move(staged)).ok());
  EXPECT_EQ(version_files(), 2U);
  EXPECT_TRUE(holds(vault->open_version(ref(1), {"that"}), other));
  EXPECT_TRUE(holds(vault->open_version(ref(1), {"this"}), canonical_));
  EXPECT_EQ(vault->versions().size(), 1U);
}

TEST_F(FormTest, ForgetsAFormOfAVersionThatWasErasedMeanwhile) {
  const auto vault = with_form();
  auto staged = vault->restage(ref(1)).value();
  ASSERT_TRUE(staged->add({form_.model(), "that"}).ok());
  ASSERT_TRUE(vault->erase(ref(1)).ok());
  EXPECT_EQ(version_files(), 0U) << "both files of an erased version go";
  EXPECT_EQ(vault->commit(std::move(staged)).error().code, Code::not_found);
  EXPECT_FALSE(vault->find(ref(1)).has_value());
  EXPECT_EQ(vault->restage(ref(1)).error().code, Code::not_found);
  for (const auto& [path, content] : files_.contents()) EXPECT_FALSE(path.starts_with("staging/"));
}

TEST_F(FormTest, SaysWhenWeightsThatArriveLaterAreDamaged) {
  const auto vault = with_form();
  damage(2'500'000);
  const auto opened = vault->open_version(ref(1), {"this", true});
  ASSERT_TRUE(opened.ok()) << "the graph is whole";
  EXPECT_TRUE(opened.value().optimised);
  EXPECT_EQ(opened.value().filling->arrival().wait().error().code, Code::corrupt);
}

TEST_F(FormTest, GivesWeightsThatArriveWhileTheyAreUsed) {
  ShareableMemoryPool pool(8ULL << 20);
  settings_.shareable_weights = &pool;
  const auto vault = with_form();
  auto opened = vault->open_version(ref(1), {"this", true});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(opened.value().filling->arrival().wait().ok());
  EXPECT_TRUE(holds(opened, form_));
  const MutableBytes tail = opened.value().weights.tail();
  EXPECT_EQ(reinterpret_cast<const std::atomic<std::uint32_t>*>(tail.data())->load(), 3U);
}

TEST_F(FormTest, StopsFillingWhereNobodyWantsTheWeights) {
  const auto vault = with_form();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(vault->open_version(ref(1), {"this", true}).ok());
  }
}

}  // namespace
}  // namespace cloister
