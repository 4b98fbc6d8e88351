#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace cloister {

/// A bounded queue of jobs and the threads that do them. Jobs of one principal are begun in order
/// of arrival; principals take turns, the one with the fewest jobs under way first. A job that
/// throws is over; the thread goes on.
class JobQueue {
 public:
  using Job = std::function<void()>;

  /// `threads`: 1 to 64, jobs done at a time. `jobs_max`: how many may wait; of one principal half
  /// as many. `reserve`: as many more are done at a time where their principals have none under
  /// way, so that jobs that take long hold up only whose they are.
  JobQueue(unsigned threads, std::size_t jobs_max, unsigned reserve = 0);
  /// As `stop`.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// `whose`: the principal; empty: nobody in particular, to whom neither half nor reserve apply.
  /// Fails: `busy` when too many wait; `unavailable` after `stop`.
  Status push(Job job, const std::string& whose = {});
  /// Refuses new jobs, drops those that wait, finishes those that run and joins the threads.
  /// Idempotent.
  void stop();
  /// Jobs that wait now.
  std::size_t waiting() const;

 private:
  /// One principal's jobs; there as long as any wait or run.
  struct Line {
    std::deque<Job> jobs;
    std::size_t running = 0;
    std::uint64_t turn = 0;  // when its last job began
  };
  using Lines = std::map<std::string, Line>;

  /// Waits for a job and does it; false once stopped.
  bool work_once();
  /// Takes the next job; leaves `job` empty once stopped.
  Lines::iterator begin(Job& job) EXCLUDES(mutex_);
  Lines::iterator next() REQUIRES(mutex_);

  const std::size_t jobs_max_;
  const unsigned threads_max_;
  const unsigned reserve_;
  mutable Mutex mutex_;
  Signal changed_;
  Lines lines_ GUARDED_BY(mutex_);
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  std::uint64_t turns_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;  // last: its threads use everything above
};

}  // namespace cloister
