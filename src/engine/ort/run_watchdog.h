#pragma once

#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/engine.h"

namespace cloister {

/// Ends runs whose control was cancelled or whose deadline passed, by a thread of its own that
/// looks every 20 ms while anything runs, and when a deadline has come. Safe from several threads.
class RunWatchdog {
 public:
  /// One run, watched for the life of this object; on the stack of the thread that runs.
  class Watch {
   public:
    enum class Verdict { running, cancelled, late };
    /// `end` is called at most once, from the watchdog's thread, with `context`; it must be quick
    /// and may be called until the destructor returned.
    Watch(RunWatchdog& watchdog, const RunControl& control, void (*end)(void*), void* context);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    /// Why the run was ended, if it was.
    Verdict verdict() const;

   private:
    friend class RunWatchdog;
    RunWatchdog& watchdog_;
    const RunControl& control_;
    void (*end_)(void*);
    void* context_;
    Verdict verdict_ = Verdict::running;  // guarded by watchdog_.mutex_
  };

  /// `clock` must outlive it. Destroy it after the last Watch.
  explicit RunWatchdog(const Clock& clock);
  ~RunWatchdog();
  RunWatchdog(const RunWatchdog&) = delete;
  RunWatchdog& operator=(const RunWatchdog&) = delete;

 private:
  void loop();
  void look() REQUIRES(mutex_);
  std::chrono::nanoseconds until_next_look() REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  Signal wake_;
  std::vector<Watch*> watches_ GUARDED_BY(mutex_);
  SteadyTime next_look_ GUARDED_BY(mutex_){};
  bool asleep_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last: stops before the fields it uses go
};

}  // namespace cloister
