#include "serving/job_queue.h"

#include <utility>

namespace cloister {

JobQueue::JobQueue(unsigned threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  CLOISTER_CHECK(threads >= 1 && threads <= 64);
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

JobQueue::~JobQueue() {
  stop();
}

Status JobQueue::push(Job job) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return Error{Code::unavailable, "job_queue.stopping"};
    if (jobs_.size() >= jobs_max_) return Error{Code::busy, "job_queue.full"};
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return Done{};
}

void JobQueue::stop() {
  std::deque<Job> dropped;  // destroyed without the lock: what they hold may answer as it goes
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  changed_.notify_all();
  dropped.clear();
  threads_.clear();  // joins
}

std::size_t JobQueue::waiting() const {
  const MutexLock lock(mutex_);
  return jobs_.size();
}

void JobQueue::work() {
  for (;;) {
    Job job;
    {
      const MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) changed_.wait(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job();
    } catch (...) {
      // No memory, in practice. The job is gone, and what it held answers for it as it goes; every
      // other request is served on.
    }
  }
}

}  // namespace cloister
