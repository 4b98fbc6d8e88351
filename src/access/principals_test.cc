#include "access/principals.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/memory_record.h"

namespace cloister {
namespace {

class CountingEntropy final : public Entropy {
 public:
  Status fill(MutableBytes destination) noexcept override {
    if (broken) return Error{Code::io, "test.entropy"};
    for (std::byte& each : destination) each = static_cast<std::byte>(next_++);
    return Done{};
  }
  bool broken = false;

 private:
  unsigned next_ = 0;
};

class StillClock final : public Clock {
 public:
  UtcSeconds utc() const noexcept override { return now; }
  SteadyTime steady() const noexcept override { return {}; }
  UtcSeconds now{std::chrono::seconds{1'000'000}};
};

class PrincipalsTest : public testing::Test {
 protected:
  std::unique_ptr<Principals> open() {
    return std::move(Principals::open(store, entropy, clock)).value();
  }
  MemoryRecord store;
  CountingEntropy entropy;
  StillClock clock;
  const PrincipalId clinic{"clinic"};
};

TEST_F(PrincipalsTest, RefusesEveryTokenThatWasNotMinted) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  const std::string token = principals->mint(clinic, std::chrono::hours{1}).value().show_once();
  ASSERT_EQ(token.size(), 48U);
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(principals->authenticate(other).error().code, Code::unauthenticated) << i;
  }
  EXPECT_FALSE(principals->authenticate("").ok());
  EXPECT_FALSE(principals->authenticate(token + "A").ok());
  EXPECT_TRUE(principals->authenticate(token).ok());
}

TEST_F(PrincipalsTest, RefusesExpiredAndRevokedTokens) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  const auto first = principals->mint(clinic, std::chrono::seconds{10}).value().show_once();
  const auto second = principals->mint(clinic, std::chrono::hours{10}).value().show_once();
  clock.now += std::chrono::seconds{10};
  EXPECT_FALSE(principals->authenticate(first).ok());
  EXPECT_TRUE(principals->authenticate(second).ok());
  ASSERT_TRUE(principals->revoke_tokens(clinic).ok());
  EXPECT_FALSE(principals->authenticate(second).ok());
}

TEST_F(PrincipalsTest, RefusesTooManyTokensAndBadLives) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  EXPECT_EQ(principals->mint(clinic, std::chrono::seconds{0}).error().code, Code::invalid);
  EXPECT_EQ(principals->mint(clinic, kTokenLifeMax + std::chrono::seconds{1}).error().code,
            Code::invalid);
  EXPECT_EQ(principals->mint(PrincipalId{"nobody"}, std::chrono::hours{1}).error().code,
            Code::not_found);
  for (std::size_t i = 0; i < kTokensPerPrincipalMax; ++i) {
    ASSERT_TRUE(principals->mint(clinic, std::chrono::hours{1}).ok());
  }
  EXPECT_EQ(principals->mint(clinic, std::chrono::hours{1}).error().code, Code::too_large);
  clock.now += std::chrono::hours{2};
  EXPECT_TRUE(principals->mint(clinic, std::chrono::hours{1}).ok());
}

TEST_F(PrincipalsTest, ChangesNothingWhenTheStoreOrEntropyFails) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  const auto token = principals->mint(clinic, std::chrono::hours{1}).value().show_once();
  store.broken = true;
  EXPECT_EQ(principals->revoke_tokens(clinic).error().code, Code::io);
  EXPECT_TRUE(principals->authenticate(token).ok());
  EXPECT_EQ(principals->mint(clinic, std::chrono::hours{1}).error().code, Code::io);
  store.broken = false;
  entropy.broken = true;
  EXPECT_EQ(principals->mint(clinic, std::chrono::hours{1}).error().code, Code::io);
}

TEST_F(PrincipalsTest, RefusesAnotherRoleAndBadNames) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  EXPECT_TRUE(principals->ensure(clinic, Role::owner).ok());
  EXPECT_EQ(principals->ensure(clinic, Role::caller).error().code, Code::conflict);
  EXPECT_EQ(principals->ensure(PrincipalId{"a.b"}, Role::caller).error().code, Code::invalid);
  EXPECT_EQ(principals->ensure(PrincipalId{""}, Role::caller).error().code, Code::invalid);
}

TEST_F(PrincipalsTest, TrustsOnlyTheConfiguredKey) {
  const auto principals = open();
  std::array<std::byte, 32> key{};
  EXPECT_EQ(principals->trust_key(clinic, key).error().code, Code::not_found);
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  EXPECT_FALSE(principals->authenticate_key(key).ok());
  ASSERT_TRUE(principals->trust_key(clinic, key).ok());
  EXPECT_EQ(principals->authenticate_key(key).value().id(), clinic);
  key[31] = std::byte{1};
  EXPECT_FALSE(principals->authenticate_key(key).ok());
}

TEST_F(PrincipalsTest, RemembersTokensByDigestOnly) {
  std::string token;
  {
    const auto principals = open();
    ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
    token = principals->mint(clinic, std::chrono::hours{1}).value().show_once();
  }
  EXPECT_EQ(text_of(store.content).find(token.substr(5)), std::string_view::npos);
  const auto again = open();
  const auto caller = again->authenticate(token);
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller.value().role(), Role::owner);
}

TEST_F(PrincipalsTest, RefusesStoredRecordsThatAreCutOrLonger) {
  {
    const auto principals = open();
    ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
    ASSERT_TRUE(principals->mint(clinic, std::chrono::hours{1}).ok());
  }
  const ByteVector whole = store.content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    store.content = copy_of(Bytes(whole).first(size));
    EXPECT_EQ(Principals::open(store, entropy, clock).error().code, Code::corrupt) << size;
  }
  store.content = whole;
  store.content.push_back(std::byte{0});
  EXPECT_EQ(Principals::open(store, entropy, clock).error().code, Code::corrupt);
}

TEST_F(PrincipalsTest, LetsOnlyOwnersCreateAndOnlyTheFirstOneCreateOwners) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  const auto as = [&](const PrincipalId& id) {
    return principals
        ->authenticate(principals->mint(id, std::chrono::hours{1}).value().show_once())
        .value();
  };
  const Caller first = as(clinic);
  const PrincipalId second_id = principals->create(first, "lab", Role::owner).value();
  const PrincipalId watch = principals->create(first, "watch", Role::operator_).value();
  const Caller second = as(second_id);
  EXPECT_EQ(principals->create(second, "more", Role::owner).error().code, Code::denied);
  EXPECT_EQ(principals->create(second, "more", Role::operator_).error().code, Code::denied);
  EXPECT_EQ(principals->create(as(watch), "more", Role::caller).error().code, Code::denied);
  const PrincipalId user = principals->create(second, "user", Role::caller).value();
  EXPECT_EQ(principals->create(as(user), "more", Role::caller).error().code, Code::denied);
  EXPECT_EQ(principals->create(first, "a.b", Role::caller).error().code, Code::invalid);
  EXPECT_EQ(principals->create(first, std::string(49, 'a'), Role::caller).error().code,
            Code::invalid);
}

TEST_F(PrincipalsTest, KeepsWhatOneOwnerCreatedFromAnother) {
  const auto principals = open();
  ASSERT_TRUE(principals->ensure(clinic, Role::owner).ok());
  const Caller first =
      principals
          ->authenticate(principals->mint(clinic, std::chrono::hours{1}).value().show_once())
          .value();
  const PrincipalId lab = principals->create(first, "lab", Role::owner).value();
  const std::string lab_token = principals->mint(lab, std::chrono::hours{1}).value().show_once();
  const Caller second = principals->authenticate(lab_token).value();
  const PrincipalId user = principals->create(second, "user", Role::caller).value();
  EXPECT_NE(principals->create(second, "user", Role::caller).value(), user);
  EXPECT_FALSE(principals->may_manage(first, user));
  EXPECT_TRUE(principals->may_manage(second, user));
  EXPECT_TRUE(principals->may_manage(second, lab));
  EXPECT_EQ(principals->remove(first, user).error().code, Code::not_found);
  EXPECT_EQ(principals->created_by(second).size(), 2U);
  const std::string token = principals->mint(user, std::chrono::hours{1}).value().show_once();
  EXPECT_FALSE(principals->may_manage(principals->authenticate(token).value(), user));
  ASSERT_TRUE(principals->remove(second, user).ok());
  EXPECT_FALSE(principals->authenticate(token).ok());
  EXPECT_EQ(open()->created_by(second).size(), 1U);
}

}  // namespace
}  // namespace cloister
