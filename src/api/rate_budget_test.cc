#include "api/rate_budget.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

using std::chrono::milliseconds;

TEST(RateBudget, RefusesPastASecondsWorthAndForgivesWithTime) {
  RateBudget budget(4);
  const PrincipalId principal{"a"};
  const SteadyTime now{std::chrono::seconds(100)};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(budget.take(principal, now).ok());
  EXPECT_EQ(budget.take(principal, now).error().code, Code::busy);
  EXPECT_EQ(budget.take(principal, now + milliseconds(200)).error().code, Code::busy);
  EXPECT_TRUE(budget.take(principal, now + milliseconds(500)).ok());
  EXPECT_TRUE(budget.take(PrincipalId{"b"}, now).ok());
}

TEST(RateBudget, NeverSavesUpMoreThanASecond) {
  RateBudget budget(2);
  const SteadyTime now{std::chrono::seconds(100)};
  int granted = 0;
  for (int i = 0; i < 10; ++i) {
    if (budget.take(PrincipalId{"a"}, now + std::chrono::hours(i > 0 ? 1 : 0)).ok()) ++granted;
  }
  EXPECT_EQ(granted, 3);
  RateBudget unbounded(0);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(unbounded.take(PrincipalId{"a"}, now).ok());
}

}  // namespace
}  // namespace cloister
