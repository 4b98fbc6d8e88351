#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace cloister {

/// A bounded queue of jobs and the threads that do them, in order of arrival. A job that
/// throws is over; the thread goes on.
class JobQueue {
 public:
  using Job = std::function<void()>;

  /// `threads`: 1 to 64. `jobs_max`: how many may wait.
  JobQueue(unsigned threads, std::size_t jobs_max);
  /// As `stop`.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// Fails: `busy` when `jobs_max` wait; `unavailable` after `stop`.
  Status push(Job job);
  /// Refuses new jobs, drops those that wait, finishes those that run and joins the threads.
  /// Idempotent.
  void stop();
  /// Jobs that wait now.
  std::size_t waiting() const;

 private:
  void work();

  const std::size_t jobs_max_;
  mutable Mutex mutex_;
  Signal changed_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;  // last: its threads use everything above
};

}  // namespace cloister
