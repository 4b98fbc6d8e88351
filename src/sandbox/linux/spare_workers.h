#pragma once

#include <thread>
#include <vector>

#include "base/mutex.h"
#include "sandbox/linux/sandbox_engine.h"

namespace cloister {

/// Workers that wait for a model, with the runtime open: starting one takes longer than loading
/// most models. They are started by one thread, which outlives them. Safe from several threads.
class SpareWorkers {
 public:
  explicit SpareWorkers(const SandboxSettings& settings);
  ~SpareWorkers();
  SpareWorkers(const SpareWorkers&) = delete;
  SpareWorkers& operator=(const SpareWorkers&) = delete;

  /// One that is ready. Fails: `unavailable` (cannot be started, or confined too weakly).
  /// No new one is started in its place before `refill`: that would slow down the load for which
  /// this one is taken.
  Result<WorkerProcess> take();
  void refill();
  /// Memory of those that wait, in bytes.
  std::uint64_t private_bytes() const;

 private:
  void loop();
  Result<WorkerProcess> start() const;

  const SandboxSettings& settings_;
  mutable Mutex mutex_;
  Signal changed_;
  std::vector<WorkerProcess> ready_ GUARDED_BY(mutex_);
  std::size_t kept_ GUARDED_BY(mutex_) = 0;      // to be ready when nobody waits
  std::size_t wanted_ GUARDED_BY(mutex_) = 0;    // callers that wait
  std::uint64_t attempts_ GUARDED_BY(mutex_) = 0;  // starts that failed
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last: it uses the fields above
};

}  // namespace cloister
