#pragma once

#include <deque>
#include <thread>

#include "base/mutex.h"
#include "sandbox/linux/worker_set.h"

namespace cloister {

/// A thread that has fresh workers ready before anybody waits for them. Safe from several threads.
class Preparer {
 public:
  Preparer();
  ~Preparer();
  Preparer(const Preparer&) = delete;
  Preparer& operator=(const Preparer&) = delete;

  /// Calls `set.prepare()` soon. `set` must live until `forget` returned.
  void want(WorkerSet& set) EXCLUDES(mutex_);
  /// From then on `set` is not touched any more.
  void forget(WorkerSet& set) EXCLUDES(mutex_);

 private:
  void loop();

  Mutex mutex_;
  Signal changed_;
  std::deque<WorkerSet*> wanted_ GUARDED_BY(mutex_);
  WorkerSet* now_ GUARDED_BY(mutex_) = nullptr;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last: it uses the fields above
};

}  // namespace cloister
