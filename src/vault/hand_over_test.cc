#include "vault/hand_over.h"

#include "support/vault_fixture.h"

namespace cloister {
namespace {

class HandOverTest : public VaultFixture {
 protected:
  void SetUp() override { settings_.upgrade_policy = sha256(bytes_of("policy")); }
  VaultParts parts() { return {files_, entropy_, clock_, no_anchor_}; }
  Result<SecretBytes> handed_over(int secret = 1) {
    return export_store(parts(), root_secret(secret), settings_);
  }
};

TEST_F(HandOverTest, RefusesAStoreMadeWithoutAPolicyOrWithAnother) {
  settings_.upgrade_policy = {};
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(handed_over().error().code, Code::denied);
  settings_.upgrade_policy = sha256(bytes_of("added later"));
  EXPECT_EQ(handed_over().error().code, Code::denied);
}

TEST_F(HandOverTest, RefusesToTakeWhatBelongsToAnotherStoreOrPolicy) {
  ASSERT_TRUE(open(true).ok());
  const SecretBytes ours = handed_over().value();
  for (const auto& [path, content] : files_.contents()) ASSERT_TRUE(files_.remove(path).ok());
  ASSERT_TRUE(open(true).ok());
  const auto before = files_.contents();
  EXPECT_EQ(import_store(parts(), root_secret(2), settings_, ours).error().code, Code::corrupt);
  EXPECT_EQ(import_store(parts(), root_secret(2), settings_, SecretBytes(7)).error().code,
            Code::corrupt);
  const SecretBytes right = handed_over().value();
  settings_.upgrade_policy = sha256(bytes_of("another"));
  EXPECT_EQ(import_store(parts(), root_secret(2), settings_, right).error().code, Code::denied);
  EXPECT_EQ(files_.contents(), before);
}

TEST_F(HandOverTest, RefusesWhileAServerHasTheStore) {
  const auto vault = open(true).value();
  const SecretBytes secret = handed_over().value();
  EXPECT_EQ(import_store(parts(), root_secret(2), settings_, secret).error().code, Code::conflict);
}

TEST_F(HandOverTest, KeepsTheStoreWhenAnyCallOfTheImportFails) {
  {
    const auto vault = open(true).value();
    ASSERT_TRUE(upload(*vault, SampleModel(1, 100, 1000), ref(1)).ok());
  }
  const SecretBytes secret = handed_over().value();
  const auto before = files_.contents();
  files_.arm(1'000'000, Fault::fails);
  ASSERT_TRUE(import_store(parts(), root_secret(2), settings_, secret).ok());
  const std::uint64_t calls = files_.calls();
  for (const Survival survival : {Survival::everything, Survival::nothing, Survival::entries_only,
                                  Survival::data_only, Survival::half_of_each_file}) {
    for (std::uint64_t call = 0; call < calls; ++call) {
      for (const auto& [path, content] : before) files_.plant(path, content);
      files_.arm(call, Fault::is_last_before_power_loss);
      (void)import_store(parts(), root_secret(2), settings_, secret);
      files_.lose_power(survival);
      const bool mine = open(false, 2).ok();
      EXPECT_NE(mine, open(false, 1).ok()) << call;  // one of the two, never neither
    }
  }
}

TEST_F(HandOverTest, MovesTheStoreWithoutTouchingAVersion) {
  const SampleModel sample(1, 100, 3'000'000);
  {
    const auto vault = open(true).value();
    ASSERT_TRUE(upload(*vault, sample, ref(1)).ok());
  }
  auto before = files_.contents();
  ASSERT_TRUE(import_store(parts(), root_secret(2), settings_, handed_over().value()).ok());
  EXPECT_EQ(open(false, 1).error().code, Code::corrupt);
  const auto vault = open(false, 2).value();
  expect_holds(*vault, sample, ref(1));
  auto after = files_.contents();
  EXPECT_NE(after.at("store"), before.at("store"));
  after.erase("store");
  before.erase("store");
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace cloister
