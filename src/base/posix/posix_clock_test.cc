#include "base/posix/posix_clock.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

TEST(PosixClock, NeverRunsBack) {
  const PosixClock clock;
  const SteadyTime first = clock.steady();
  EXPECT_LE(first, clock.steady());
}

TEST(PosixClock, TellsAYearAfterThisWasWritten) {
  const PosixClock clock;
  EXPECT_GT(clock.utc(), std::chrono::sys_days(std::chrono::year(2025) / 1 / 1));
}

}  // namespace
}  // namespace cloister
