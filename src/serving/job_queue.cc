#include "serving/job_queue.h"

#include <utility>

namespace cloister {
namespace {

constexpr std::size_t kIdleLinesMax = 64;   // kept for their principals' next jobs
constexpr std::size_t kUnannouncedMax = 8;  // jobs that wait for one `wake`

}  // namespace

JobQueue::JobQueue(unsigned threads, std::size_t jobs_max, unsigned reserve,
                   const std::function<void()>& begin_thread)
    : jobs_max_(jobs_max), threads_max_(threads), reserve_(reserve) {
  CLOISTER_CHECK(threads >= 1 && threads <= 64 && reserve <= 64);
  threads_.reserve(threads + reserve);
  for (unsigned i = 0; i < threads + reserve; ++i) {
    threads_.emplace_back([this, begin_thread] {
      if (begin_thread) begin_thread();
      work();
    });
  }
}

JobQueue::~JobQueue() {
  stop();
}

Status JobQueue::push(Job job, const std::string& whose, Wake wake) {
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return Error{Code::unavailable, "job_queue.stopping"};
    if (waiting_ >= jobs_max_) return Error{Code::busy, "job_queue.full"};
    const auto found = lines_.find(whose);
    if (!whose.empty() && found != lines_.end() &&
        found->second.jobs.size() >= (jobs_max_ + 1) / 2) {
      return Error{Code::busy, "job_queue.share"};
    }
    const auto line = lines_.try_emplace(whose).first;
    line->second.jobs.push_back(std::move(job));
    ++waiting_;
    if (wake == Wake::later && ++unannounced_ < kUnannouncedMax) return Done{};
    unannounced_ = 0;
    wakes = wants_thread() && next() != lines_.end();
    if (wakes) ++waking_;
  }
  if (wakes) changed_.notify_one();
  return Done{};
}

void JobQueue::wake() noexcept {
  {
    const MutexLock lock(mutex_);
    unannounced_ = 0;
    if (waiting_ == 0 || !wants_thread() || next() == lines_.end()) return;
    ++waking_;
  }
  changed_.notify_one();
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

bool JobQueue::may_begin(const Lines::value_type& line) const {
  const bool fresh = line.second.running == 0 && !line.first.empty();
  return running_ < threads_max_ + (fresh ? reserve_ : 0U);
}

JobQueue::Lines::iterator JobQueue::next() {
  auto best = lines_.end();
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    if (line->second.jobs.empty() || !may_begin(*line)) continue;
    if (best == lines_.end() || std::pair(line->second.running, line->second.turn) <
                                    std::pair(best->second.running, best->second.turn)) {
      best = line;
    }
  }
  return best;
}

std::optional<JobQueue::Lines::iterator> JobQueue::begin(Job& job,
                                                         std::optional<Lines::iterator> done) {
  Lines::iterator line;
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    if (done) {
      --running_;
      const bool idle = --(*done)->second.running == 0 && (*done)->second.jobs.empty();
      if (idle && lines_.size() > kIdleLinesMax) lines_.erase(*done);
    }
    line = next();
    while (line == lines_.end() && !stopping_) {
      ++sleeping_;
      changed_.wait(mutex_);
      --sleeping_;
      if (waking_ > 0) --waking_;
      line = next();
    }
    if (line == lines_.end()) return std::nullopt;
    job = std::move(line->second.jobs.front());
    line->second.jobs.pop_front();
    line->second.turn = ++turns_;
    ++line->second.running;
    ++running_;
    --waiting_;
    wakes = waiting_ > 0 && wants_thread() && next() != lines_.end();
    if (wakes) ++waking_;
  }
  if (wakes) changed_.notify_one();
  return line;
}

void JobQueue::work() {
  Job job;
  std::optional<Lines::iterator> line;
  while ((line = begin(job, line))) {
    try {
      job();
    } catch (...) {
      // No memory, in practice. The job is gone, and what it held answers for it as it goes; every
      // other request is served on.
    }
    job = nullptr;
  }
}

}  // namespace cloister
