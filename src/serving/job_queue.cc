#include "serving/job_queue.h"

#include <utility>

namespace cloister {

JobQueue::JobQueue(unsigned threads, std::size_t jobs_max, unsigned reserve)
    : jobs_max_(jobs_max), threads_max_(threads), reserve_(reserve) {
  CLOISTER_CHECK(threads >= 1 && threads <= 64 && reserve <= 64);
  threads_.reserve(threads + reserve);
  for (unsigned i = 0; i < threads + reserve; ++i) {
    threads_.emplace_back([this] {
      while (work_once()) {
      }
    });
  }
}

JobQueue::~JobQueue() {
  stop();
}

Status JobQueue::push(Job job, const std::string& whose) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return Error{Code::unavailable, "job_queue.stopping"};
    if (waiting_ >= jobs_max_) return Error{Code::busy, "job_queue.full"};
    const auto found = lines_.find(whose);
    if (!whose.empty() && found != lines_.end() &&
        found->second.jobs.size() >= (jobs_max_ + 1) / 2) {
      return Error{Code::busy, "job_queue.share"};
    }
    lines_[whose].jobs.push_back(std::move(job));
    ++waiting_;
  }
  changed_.notify_one();
  return Done{};
}

void JobQueue::stop() {
  Lines dropped;  // destroyed without the lock: what they hold may answer as it goes
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [whose, line] : lines_) dropped[whose].jobs.swap(line.jobs);
    waiting_ = 0;
  }
  changed_.notify_all();
  dropped.clear();
  threads_.clear();  // joins
}

std::size_t JobQueue::waiting() const {
  const MutexLock lock(mutex_);
  return waiting_;
}

JobQueue::Lines::iterator JobQueue::next() {
  auto best = lines_.end();
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    if (line->second.jobs.empty()) continue;
    const bool fresh = line->second.running == 0 && !line->first.empty();
    if (running_ >= threads_max_ + (fresh ? reserve_ : 0U)) continue;
    if (best == lines_.end() || std::pair(line->second.running, line->second.turn) <
                                    std::pair(best->second.running, best->second.turn)) {
      best = line;
    }
  }
  return best;
}

JobQueue::Lines::iterator JobQueue::begin(Job& job) {
  const MutexLock lock(mutex_);
  auto line = next();
  while (line == lines_.end() && !stopping_) {
    changed_.wait(mutex_);
    line = next();
  }
  if (line == lines_.end()) return line;
  job = std::move(line->second.jobs.front());
  line->second.jobs.pop_front();
  line->second.turn = ++turns_;
  ++line->second.running;
  ++running_;
  --waiting_;
  return line;
}

bool JobQueue::work_once() {
  Job job;
  const auto line = begin(job);
  if (!job) return false;
  try {
    job();
  } catch (...) {
    // No memory, in practice. The job is gone, and what it held answers for it as it goes; every
    // other request is served on.
  }
  job = nullptr;
  const MutexLock lock(mutex_);
  --running_;
  if (--line->second.running == 0 && line->second.jobs.empty()) lines_.erase(line);
  return true;
}

}  // namespace cloister
