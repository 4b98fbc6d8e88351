#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
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
  /// Whether a thread is woken for a job at once: to wake one costs more than a small job takes, so
  /// that who pushes several does it once, by `wake`, for all of them.
  enum class Wake { now, later };

  /// `threads`: 1 to 64, jobs done at a time. `jobs_max`: how many may wait; of one principal half
  /// as many. `reserve`: as many more are done at a time where their principals have none under
  /// way, so that jobs that take long hold up only whose they are. `begin_thread`: what each thread
  /// does first.
  JobQueue(unsigned threads, std::size_t jobs_max, unsigned reserve = 0,
           const std::function<void()>& begin_thread = {});
  /// As `stop`.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// `whose`: the principal; empty: nobody in particular, to whom neither half nor reserve apply.
  /// Fails: `busy` when too many wait; `unavailable` after `stop`.
  Status push(Job job, const std::string& whose = {}, Wake wake = Wake::now);
  /// Sees to it that jobs pushed with `Wake::later` are begun.
  void wake() noexcept;
  /// Refuses new jobs, drops those that wait, finishes those that run and joins the threads.
  /// Idempotent.
  void stop();
  /// Jobs that wait now.
  std::size_t waiting() const;

 private:
  /// One principal's jobs; there as long as any wait or run, and some for longer.
  struct Line {
    std::deque<Job> jobs;
    std::size_t running = 0;
    std::uint64_t turn = 0;  // when its last job began
  };
  using Lines = std::map<std::string, Line>;

  /// Does jobs until the queue stops.
  void work();
  /// Ends the job of `done`'s line, if any; waits for the next and takes it. Nothing once stopped.
  std::optional<Lines::iterator> begin(Job& job, std::optional<Lines::iterator> done)
      EXCLUDES(mutex_);
  Lines::iterator next() REQUIRES(mutex_);
  bool may_begin(const Lines::value_type& line) const REQUIRES(mutex_);
  /// Whether a sleeping thread is to be woken for what waits: one at a time, which wakes the next.
  bool wants_thread() const REQUIRES(mutex_) { return waking_ == 0 && sleeping_ > 0; }

  const std::size_t jobs_max_;
  const unsigned threads_max_;
  const unsigned reserve_;
  mutable Mutex mutex_;
  Signal changed_;
  Lines lines_ GUARDED_BY(mutex_);
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  std::size_t sleeping_ GUARDED_BY(mutex_) = 0;  // threads, those being woken included
  std::size_t waking_ GUARDED_BY(mutex_) = 0;    // of them: woken, and not here yet
  std::size_t unannounced_ GUARDED_BY(mutex_) = 0;  // pushed with Wake::later since the last wake
  std::uint64_t turns_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;  // last: its threads use everything above
};

}  // namespace cloister
