#include "model/weights_arrival.h"

#include <utility>

namespace cloister {

WeightsArrival::WeightsArrival(std::atomic<std::uint32_t>& word, std::uint64_t bytes)
    : word_(word), there_((bytes + kArrivalStep - 1) / kArrivalStep) {
  word_.store(0, std::memory_order_relaxed);
}

void WeightsArrival::arrived(std::uint64_t index) {
  const MutexLock lock(mutex_);
  there_[index] = true;
  while (in_order_ < there_.size() && there_[in_order_]) ++in_order_;
  word_.store(static_cast<std::uint32_t>(in_order_), std::memory_order_release);
}

void WeightsArrival::finish(Status outcome) {
  const MutexLock lock(mutex_);
  if (!outcome.ok()) word_.store(kArrivalFailed, std::memory_order_release);
  outcome_ = std::move(outcome);
  changed_.notify_all();
}

Status WeightsArrival::wait() {
  const MutexLock lock(mutex_);
  while (!outcome_) changed_.wait(mutex_);
  return *outcome_;
}

}  // namespace cloister
