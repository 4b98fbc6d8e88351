#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace cloister {

struct DetailForTest {
  static const std::string& text(const Detail& detail) { return detail.reveal(DetailToken()); }
};

namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return Error{Code::invalid, "test.half", Detail("odd")};
  return value / 2;
}

Result<int> quarter(int value) {
  CLOISTER_ASSIGN(const int first, half(value));
  CLOISTER_TRY(half(first));
  return first / 2;
}

TEST(Result, PassesTheErrorOnWithItsPlaceAndDetail) {
  const auto outcome = quarter(6);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Code::invalid);
  EXPECT_STREQ(outcome.error().where.text, "test.half");
  EXPECT_EQ(DetailForTest::text(outcome.error().detail), "odd");
}

TEST(Result, StopsTheProcessWhenTheWrongSideIsRead) {
  const Result<int> value = 1;
  const Result<int> error = Error{Code::io, "test"};
  EXPECT_DEATH((void)value.error(), "check failed");
  EXPECT_DEATH((void)error.value(), "check failed");
}

TEST(Result, HandsOutItsValue) {
  EXPECT_EQ(quarter(8).value(), 2);
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(5);
  EXPECT_EQ(*std::move(owned).value(), 5);
}

TEST(Code, HasANameOfItsOwn) {
  EXPECT_STREQ(name_of(Code::invalid), "invalid");
  EXPECT_STREQ(name_of(Code::too_large), "too_large");
  EXPECT_STREQ(name_of(Code::internal), "internal");
}

}  // namespace
}  // namespace cloister
