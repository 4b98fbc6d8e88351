#include "api/receiving_budget.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

const PrincipalId kFirst{"first"};
const PrincipalId kSecond{"second"};

TEST(ReceivingBudget, RefusesWhatCanNeverFit) {
  const auto budget = ReceivingBudget::make(100);
  EXPECT_EQ(budget->take(kFirst, 101).error().code, Code::too_large);
  EXPECT_EQ(budget->take(kFirst, ~std::uint64_t{0}).error().code, Code::too_large);
}

TEST(ReceivingBudget, RefusesPastTheBoundUntilAHoldEnds) {
  const auto budget = ReceivingBudget::make(100);
  auto first = budget->take(kFirst, 60).value();
  const auto second = budget->take(kFirst, 40).value();
  EXPECT_EQ(budget->take(kFirst, 1).error().code, Code::busy);
  EXPECT_TRUE(budget->take(kSecond, 100).ok());
  first.reset();
  EXPECT_EQ(budget->take(kFirst, 61).error().code, Code::busy);
  EXPECT_TRUE(budget->take(kFirst, 60).ok());
}

TEST(ReceivingBudget, CountsNothingForHoldsOfNothing) {
  const auto budget = ReceivingBudget::make(10);
  const auto first = budget->take(kFirst, 0).value();
  { const auto second = budget->take(kFirst, 0).value(); }
  EXPECT_TRUE(budget->take(kFirst, 10).ok());
}

TEST(ReceivingBudget, LivesAsLongAsItsHolds) {
  auto budget = ReceivingBudget::make(10);
  const auto hold = budget->take(kFirst, 10).value();
  budget.reset();
  EXPECT_NE(hold, nullptr);
}

}  // namespace
}  // namespace cloister
