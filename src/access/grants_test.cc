#include "access/grants.h"

#include <gtest/gtest.h>

#include <string>

#include "support/fake_clock.h"
#include "support/memory_record.h"

namespace cloister {
namespace {

class GrantsTest : public testing::Test {
 protected:
  std::unique_ptr<Grants> open() { return Grants::open(record_, clock_).value(); }
  static Rights rights(std::initializer_list<Right> list) {
    Rights set;
    for (const Right each : list) set.add(each);
    return set;
  }
  VersionRef version(std::uint64_t number) const { return {model_, VersionNumber{number}}; }
  Grant grant(std::initializer_list<Right> list) const {
    return {model_, {}, bank_, rights(list), {}};
  }

  FakeClock clock_;
  MemoryRecord record_;
  const PrincipalId clinic_{"clinic"};
  const PrincipalId bank_{"bank"};
  const ModelId model_{clinic_, "triage"};
};

TEST_F(GrantsTest, RefusesGrantsThatAllowNothingOrGoToTheOwnerOrHaveExpired) {
  const auto grants = open();
  EXPECT_EQ(grants->give(grant({})).error().code, Code::invalid);
  Grant own = grant({Right::infer});
  own.to = clinic_;
  EXPECT_EQ(grants->give(own).error().code, Code::invalid);
  Grant late = grant({Right::infer});
  late.expires = clock_.utc();
  EXPECT_EQ(grants->give(late).error().code, Code::invalid);
  Grant unnamed = grant({Right::infer});
  unnamed.to.value = "a.b";
  EXPECT_EQ(grants->give(unnamed).error().code, Code::invalid);
  EXPECT_TRUE(record_.content.empty());
}

TEST_F(GrantsTest, AllowsNothingThatWasNotGiven) {
  const auto grants = open();
  ASSERT_TRUE(grants->give(grant({Right::infer})).ok());
  EXPECT_EQ(grants->rights_of(bank_, version(1)), rights({Right::infer}));
  EXPECT_TRUE(grants->rights_of({"lab"}, version(1)).empty());
  EXPECT_TRUE(grants->rights_of(bank_, {{clinic_, "other"}, VersionNumber{1}}).empty());
  EXPECT_TRUE(grants->rights_of(bank_, {{{"lab"}, "triage"}, VersionNumber{1}}).empty());
}

TEST_F(GrantsTest, KeepsAGrantOfOneVersionToThatVersion) {
  const auto grants = open();
  Grant one = grant({Right::infer});
  one.version = VersionNumber{2};
  ASSERT_TRUE(grants->give(one).ok());
  ASSERT_TRUE(grants->give(grant({Right::metadata})).ok());
  EXPECT_EQ(grants->rights_of(bank_, version(1)), rights({Right::metadata}));
  EXPECT_EQ(grants->rights_of(bank_, version(2)), rights({Right::infer, Right::metadata}));
}

TEST_F(GrantsTest, EndsWithTimeAndWithTakingBackAtOnce) {
  const auto grants = open();
  Grant timed = grant({Right::infer});
  timed.expires = clock_.utc() + std::chrono::seconds{10};
  ASSERT_TRUE(grants->give(timed).ok());
  clock_.advance(std::chrono::seconds{9});
  EXPECT_FALSE(grants->rights_of(bank_, version(1)).empty());
  clock_.advance(std::chrono::seconds{1});
  EXPECT_TRUE(grants->rights_of(bank_, version(1)).empty());
  EXPECT_TRUE(grants->on_model(model_).empty());
  ASSERT_TRUE(grants->give(grant({Right::infer})).ok());
  ASSERT_TRUE(grants->take_back(model_, {}, bank_).ok());
  EXPECT_TRUE(grants->rights_of(bank_, version(1)).empty());
  EXPECT_TRUE(grants->take_back(model_, {}, bank_).ok());
}

TEST_F(GrantsTest, ChangesNothingThatCouldNotBeMadeDurable) {
  const auto grants = open();
  ASSERT_TRUE(grants->give(grant({Right::infer})).ok());
  record_.broken = true;
  EXPECT_EQ(grants->give(grant({Right::infer, Right::manage})).error().code, Code::io);
  EXPECT_EQ(grants->take_back(model_, {}, bank_).error().code, Code::io);
  EXPECT_EQ(grants->rights_of(bank_, version(1)), rights({Right::infer}));
}

TEST_F(GrantsTest, StopsAtTheBoundOfOneModel) {
  const auto grants = open();
  Grant each = grant({Right::infer});
  for (std::uint64_t number = 1; number <= kGrantsPerModelMax; ++number) {
    each.version = VersionNumber{number};
    ASSERT_TRUE(grants->give(each).ok());
  }
  each.version = VersionNumber{kGrantsPerModelMax + 1};
  EXPECT_EQ(grants->give(each).error().code, Code::too_large);
  each.version = VersionNumber{1};
  EXPECT_TRUE(grants->give(each).ok());
}

TEST_F(GrantsTest, RefusesARecordCutAnywhere) {
  const auto grants = open();
  ASSERT_TRUE(grants->give(grant({Right::infer})).ok());
  const ByteVector whole = record_.content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    record_.content.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(Grants::open(record_, clock_).ok()) << size;
  }
}

TEST_F(GrantsTest, DemandsReceiptsWhileTheGrantThatSaysSoLives) {
  const auto grants = open();
  Grant given = grant({Right::infer});
  ASSERT_TRUE(grants->give(given).ok());
  EXPECT_FALSE(grants->demands_receipt(bank_, version(1)));
  given.version = VersionNumber{1};
  given.receipts = true;
  given.expires = clock_.utc() + std::chrono::seconds(10);
  ASSERT_TRUE(grants->give(given).ok());
  const auto again = open();
  EXPECT_TRUE(again->demands_receipt(bank_, version(1)));
  EXPECT_FALSE(again->demands_receipt(bank_, version(2)));
  EXPECT_FALSE(again->demands_receipt(clinic_, version(1)));
  clock_.advance(std::chrono::seconds(10));
  EXPECT_FALSE(again->demands_receipt(bank_, version(1)));
}

TEST_F(GrantsTest, IsThereAgainAfterARestart) {
  Grant timed = grant({Right::infer, Right::manage});
  timed.version = VersionNumber{3};
  timed.expires = clock_.utc() + std::chrono::hours{1};
  ASSERT_TRUE(open()->give(timed).ok());
  ASSERT_TRUE(open()->give(grant({Right::metadata})).ok());
  EXPECT_EQ(open()->on_model(model_), (std::vector<Grant>{grant({Right::metadata}), timed}));
  EXPECT_EQ(open()->to_principal(bank_).size(), 2U);
  EXPECT_TRUE(open()->to_principal({"bang"}).empty());
  ASSERT_TRUE(open()->forget_model(model_).ok());
  EXPECT_TRUE(open()->on_model(model_).empty());
}

TEST_F(GrantsTest, KnowsItsRightsByName) {
  for (const Right each : {Right::infer, Right::metadata, Right::manage}) {
    EXPECT_EQ(right_named(name_of(each)), each);
  }
  EXPECT_FALSE(right_named("erase"));
}

}  // namespace
}  // namespace cloister
