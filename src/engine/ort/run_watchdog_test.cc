#include "engine/ort/run_watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/posix/posix_clock.h"

namespace cloister {
namespace {

void count_call(void* context) { static_cast<std::atomic<int>*>(context)->fetch_add(1); }

void wait_for(const std::atomic<int>& calls) {
  while (calls.load() == 0) std::this_thread::yield();
}

TEST(RunWatchdog, EndsARunOnceWhenItIsCancelled) {
  const PosixClock clock;
  RunWatchdog watchdog(clock);
  RunControl control;
  std::atomic<int> calls{0};
  const RunWatchdog::Watch watch(watchdog, control, count_call, &calls);
  EXPECT_EQ(watch.verdict(), RunWatchdog::Watch::Verdict::running);
  control.cancel();
  wait_for(calls);
  EXPECT_EQ(watch.verdict(), RunWatchdog::Watch::Verdict::cancelled);
  EXPECT_EQ(calls.load(), 1);
}

TEST(RunWatchdog, EndsARunWhenItsDeadlinePassed) {
  const PosixClock clock;
  RunWatchdog watchdog(clock);
  RunControl late(clock.steady());
  RunControl early(clock.steady() + std::chrono::hours(1));
  std::atomic<int> late_calls{0};
  std::atomic<int> early_calls{0};
  const RunWatchdog::Watch first(watchdog, early, count_call, &early_calls);
  const RunWatchdog::Watch second(watchdog, late, count_call, &late_calls);
  wait_for(late_calls);
  EXPECT_EQ(second.verdict(), RunWatchdog::Watch::Verdict::late);
  EXPECT_EQ(first.verdict(), RunWatchdog::Watch::Verdict::running);
  EXPECT_EQ(early_calls.load(), 0);
}

TEST(RunWatchdog, LeavesRunsAloneThatEndByThemselvesOnManyThreads) {
  const PosixClock clock;
  RunWatchdog watchdog(clock);
  std::atomic<int> calls{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) {
          RunControl control(clock.steady() + std::chrono::hours(1));
          const RunWatchdog::Watch watch(watchdog, control, count_call, &calls);
        }
      });
    }
  }
  EXPECT_EQ(calls.load(), 0);
}

}  // namespace
}  // namespace cloister
