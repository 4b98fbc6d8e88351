#include "serving/sealed_keys.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace cloister {
namespace {

using namespace std::chrono_literals;

class KeptRecord final : public RecordStore {
 public:
  Status load(const std::function<Status(Bytes)>& use) const override { return use(content); }
  Status save(Bytes saved) override {
    if (full) return Error{Code::io, "test.full"};
    content = copy_of(saved);
    return Done{};
  }
  ByteVector content;
  bool full = false;
};

class SealedKeysTest : public testing::Test {
 protected:
  std::unique_ptr<SealedKeys> open() {
    return SealedKeys::open(store_, clock_, {100s, 50s}).value();
  }
  static std::vector<KemPublicKey> shown(const SealedKeys& keys) {
    std::vector<KemPublicKey> list;
    for (const auto& each : keys.keys()) list.push_back(each->public_key());
    return list;
  }

  KeptRecord store_;
  FakeClock clock_;
};

TEST_F(SealedKeysTest, RefusesEveryTruncationAndEveryLongerRecord) {
  open();
  const ByteVector whole = store_.content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    store_.content = copy_of(Bytes(whole).first(size));
    EXPECT_EQ(SealedKeys::open(store_, clock_, {}).error().code, Code::corrupt) << size;
  }
  store_.content = whole;
  store_.content.push_back(std::byte{0});
  EXPECT_EQ(SealedKeys::open(store_, clock_, {}).error().code, Code::corrupt);
}

TEST_F(SealedKeysTest, ChangesNothingWhereTheStoreFails) {
  const auto keys = open();
  const auto before = shown(*keys);
  clock_.advance(100s);
  store_.full = true;
  EXPECT_EQ(keys->rotate().error().code, Code::io);
  EXPECT_EQ(shown(*keys), before);
  store_.full = false;
  EXPECT_TRUE(keys->rotate().value());
  EXPECT_NE(shown(*keys).front(), before.front());
}

TEST_F(SealedKeysTest, KeepsItsKeysAcrossAStart) {
  const auto before = shown(*open());
  ASSERT_EQ(before.size(), 1U);
  clock_.advance(99s);
  EXPECT_EQ(shown(*open()), before);
}

TEST_F(SealedKeysTest, ShowsANewKeyInTimeAndKeepsTheOneBeforeForItsTimeOnly) {
  const auto keys = open();
  const KemPublicKey first = shown(*keys).front();
  clock_.advance(99s);
  EXPECT_FALSE(keys->rotate().value());
  clock_.advance(1s);
  EXPECT_TRUE(keys->rotate().value());
  ASSERT_EQ(shown(*keys).size(), 2U);
  EXPECT_NE(shown(*keys)[0], first);
  EXPECT_EQ(shown(*keys)[1], first);
  clock_.advance(49s);
  EXPECT_FALSE(keys->rotate().value());
  EXPECT_EQ(shown(*open()), shown(*keys));
  clock_.advance(1s);
  EXPECT_FALSE(keys->rotate().value());
  EXPECT_EQ(shown(*keys).size(), 1U);
  EXPECT_EQ(shown(*open()).size(), 1U);
}

TEST_F(SealedKeysTest, DestroysAtAStartWhatRanOutMeanwhile) {
  const KemPublicKey first = shown(*open()).front();
  clock_.advance(1000s);
  const auto keys = open();
  EXPECT_EQ(shown(*keys).size(), 2U);
  EXPECT_EQ(shown(*keys)[1], first);
  clock_.advance(1000s);
  for (const KemPublicKey& each : shown(*open())) EXPECT_NE(each, first);
}

TEST_F(SealedKeysTest, KeepsABoundedNumberOfKeys) {
  const auto keys = SealedKeys::open(store_, clock_, {1s, 1000s}).value();
  for (int i = 0; i < 40; ++i) {
    clock_.advance(1s);
    EXPECT_TRUE(keys->rotate().value());
  }
  EXPECT_EQ(keys->keys().size(), SealedKeys::kKeysMax);
}

}  // namespace
}  // namespace cloister
