#include "engine/ort/run_watchdog.h"

#include <algorithm>
#include <chrono>

namespace cloister {
namespace {

// For who cancels a run; a deadline is looked at when it has come. On the one processor of a run
// each look takes 15 microseconds from it.
constexpr std::chrono::milliseconds kLookEvery{20};
// Looks without anything to see before the thread sleeps: waking it costs a short run more than
// the run itself, so under load it stays awake.
constexpr int kIdleLooks = 10;

}  // namespace

RunWatchdog::Watch::Watch(RunWatchdog& watchdog, const RunControl& control, void (*end)(void*),
                          void* context)
    : watchdog_(watchdog), control_(control), end_(end), context_(context) {
  const MutexLock lock(watchdog_.mutex_);
  watchdog_.watches_.push_back(this);
  const auto deadline = control.deadline();
  const bool soon = deadline && *deadline < watchdog_.next_look_;
  if (watchdog_.asleep_ || soon) watchdog_.wake_.notify_one();
}

RunWatchdog::Watch::~Watch() {
  const MutexLock lock(watchdog_.mutex_);
  std::erase(watchdog_.watches_, this);
}

RunWatchdog::Watch::Verdict RunWatchdog::Watch::verdict() const {
  const MutexLock lock(watchdog_.mutex_);
  return verdict_;
}

RunWatchdog::RunWatchdog(const Clock& clock) : clock_(clock), thread_([this] { loop(); }) {}

RunWatchdog::~RunWatchdog() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

std::chrono::nanoseconds RunWatchdog::until_next_look() {
  const SteadyTime now = clock_.steady();
  next_look_ = now + kLookEvery;
  for (const Watch* const watch : watches_) {
    const auto deadline = watch->control_.deadline();
    if (!deadline || watch->verdict_ != Watch::Verdict::running) continue;
    next_look_ = std::min(next_look_, std::max(*deadline, now));
  }
  return next_look_ - now;
}

void RunWatchdog::look() {
  for (Watch* const watch : watches_) {
    if (watch->verdict_ != Watch::Verdict::running) continue;
    const auto deadline = watch->control_.deadline();
    // In this order: whoever sees a deadline pass may cancel the run before this thread looks.
    if (deadline && clock_.steady() >= *deadline) {
      watch->verdict_ = Watch::Verdict::late;
    } else if (watch->control_.cancelled()) {
      watch->verdict_ = Watch::Verdict::cancelled;
    } else {
      continue;
    }
    watch->end_(watch->context_);
  }
}

void RunWatchdog::loop() {
  const MutexLock lock(mutex_);
  int idle = 0;
  while (!stopping_) {
    look();
    idle = watches_.empty() ? idle + 1 : 0;
    if (idle > kIdleLooks) {
      asleep_ = true;
      wake_.wait(mutex_);
      asleep_ = false;
      idle = 0;
    } else {
      wake_.wait_until(mutex_, std::chrono::steady_clock::now() + until_next_look());
    }
  }
}

}  // namespace cloister
