#include "serving/model_options.h"

#include <gtest/gtest.h>

#include "support/vault_fixture.h"

namespace cloister {
namespace {

std::vector<VersionNumber> numbers(std::initializer_list<std::uint64_t> values) {
  std::vector<VersionNumber> made;
  for (const std::uint64_t each : values) made.push_back(VersionNumber{each});
  return made;
}

TEST(ParseModelOptions, RefusesWhatIsNotServedOrOutOfRange) {
  for (const char* text :
       {"[]", "1", "{", R"({"sequence_batching":{}})", R"({"ensemble_scheduling":{}})",
        R"({"max_batch_size":1025})", R"({"max_batch_size":-1})", R"({"max_batch_size":"8"})",
        R"({"version_policy":{}})", R"({"version_policy":{"specific":{"versions":[]}}})",
        R"({"version_policy":{"latest":{"num_versions":0}}})",
        R"({"version_policy":{"all":{},"latest":{}}})",
        R"({"max_batch_size":4,"dynamic_batching":{"preferred_batch_size":[8]}})",
        R"({"max_batch_size":4,"dynamic_batching":{"max_queue_delay_microseconds":10000001}})",
        R"({"dynamic_batching":{"priority_levels":3}})", R"({"parameters":{"other":{}}})",
        R"({"parameters":{"cloister_name_in_metrics":true}})"}) {
    EXPECT_FALSE(parse_model_options(text).ok()) << text;
  }
}

TEST(ParseModelOptions, ReadsBackWhatItWrites) {
  ModelOptions options;
  options.policy = SpecificVersions{numbers({1, 3})};
  options.batch_max = 16;
  options.queue_delay_microseconds_max = 500;
  options.preferred_sizes = {4, 16};
  options.batch_across_principals = true;
  options.never_cached = true;
  options.name_in_metrics = true;
  const auto again = parse_model_options(model_options_json(options));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value(), options);
}

TEST(ParseModelOptions, TakesTextForWideNumbersAndPassesOverWhatTheModelSays) {
  const auto options = parse_model_options(
      R"({"name":"m","input":[{"name":"x"}],"max_batch_size":8,"dynamic_batching":
         {"preferred_batch_size":[8,4,4],"max_queue_delay_microseconds":"100",
          "preserve_ordering":false,"priority_levels":"0","priority_queue_policy":{}}})");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options.value().preferred_sizes, (std::vector<std::uint64_t>{4, 8}));
  EXPECT_EQ(options.value().queue_delay_microseconds_max, 100U);
}

TEST(ServedVersions, FollowsThePolicy) {
  const auto stored = numbers({1, 2, 5});
  EXPECT_EQ(served_versions(AllVersions{}, stored), stored);
  EXPECT_EQ(served_versions(LatestVersions{1}, stored), numbers({5}));
  EXPECT_EQ(served_versions(LatestVersions{9}, stored), stored);
  EXPECT_EQ(served_versions(SpecificVersions{numbers({2, 3})}, stored), numbers({2}));
}

TEST(CanBatch, WantsAnOpenOutermostExtentEverywhere) {
  Signature signature;
  signature.inputs = {{"x", DType::f32, true, {{std::nullopt, "n"}, {4, ""}}}};
  signature.outputs = {{"y", DType::f32, true, {{1, ""}, {4, ""}}}};
  EXPECT_FALSE(can_batch(signature));
  signature.outputs[0].extents[0] = {std::nullopt, "n"};
  EXPECT_TRUE(can_batch(signature));
  signature.inputs[0].type = DType::bytes;
  EXPECT_FALSE(can_batch(signature));
}

class OptionsOfOwners : public VaultFixture {};

TEST_F(OptionsOfOwners, DoNotTakeTheRoomOfOthers) {
  const auto vault = open(true);
  ASSERT_TRUE(vault.ok());
  auto book = OptionsBook::open(*vault.value());
  ASSERT_TRUE(book.ok());
  ModelOptions large;
  std::vector<VersionNumber> many;
  for (std::uint64_t i = 0; i < kPolicyVersionsMax; ++i) many.push_back({kVersionNumberMax - i});
  large.policy = SpecificVersions{std::move(many)};
  Status set = Done{};
  std::size_t count = 0;
  for (; set.ok() && count < 1000; ++count) {
    set = book.value()->set({{"greedy"}, "m" + std::to_string(count)}, large);
  }
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().code, Code::too_large);
  EXPECT_LT(count, 30U);
  EXPECT_TRUE(book.value()->set({{"other"}, "m"}, large).ok());
  EXPECT_TRUE(book.value()->set({{"greedy"}, "m0"}, ModelOptions()).ok());
}

}  // namespace
}  // namespace cloister
