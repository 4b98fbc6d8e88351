#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace cloister {
namespace {

class Counter {
 public:
  void add(int times) {
    for (int i = 0; i < times; ++i) {
      const MutexLock lock(mutex_);
      ++count_;
      changed_.notify_all();
    }
  }
  void wait_for(int count) {
    const MutexLock lock(mutex_);
    while (count_ < count) changed_.wait(mutex_);
  }
  bool reaches(int count, std::chrono::steady_clock::time_point until) {
    const MutexLock lock(mutex_);
    while (count_ < count) {
      if (!changed_.wait_until(mutex_, until)) return false;
    }
    return true;
  }

 private:
  Mutex mutex_;
  Signal changed_;
  int count_ GUARDED_BY(mutex_) = 0;
};

TEST(Signal, GivesUpWhenTheTimeHasPassed) {
  Counter counter;
  EXPECT_FALSE(counter.reaches(1, std::chrono::steady_clock::now()));
}

TEST(Mutex, LosesNoCountBetweenThreads) {
  constexpr int kTimes = 10'000;
  Counter counter;
  const std::jthread first([&] { counter.add(kTimes); });
  const std::jthread second([&] { counter.add(kTimes); });
  counter.wait_for(2 * kTimes);
  EXPECT_TRUE(counter.reaches(2 * kTimes, std::chrono::steady_clock::now()));
}

}  // namespace
}  // namespace cloister
