#include "sandbox/linux/failure_book.h"

#include <algorithm>

namespace cloister {

Status FailureBook::may_start(std::size_t model) {
  const MutexLock lock(mutex_);
  const auto found = records_.find(model);
  if (found == records_.end()) return Done{};
  if (clock_.steady() >= found->second.not_before) return Done{};
  const bool quarantined = found->second.deaths >= settings_.deaths_max;
  return Error{Code::unavailable, "sandbox.restart",
               Detail(quarantined ? "the model's process kept dying; it is not started for a while"
                                  : "the model's process died; it will be started again shortly")};
}

void FailureBook::died(std::size_t model) {
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady();
  if (records_.size() >= kRecordsMax && !records_.contains(model)) {
    records_.erase(std::min_element(records_.begin(), records_.end(), [](auto& a, auto& b) {
      return a.second.last < b.second.last;
    }));
  }
  Record& record = records_[model];
  // A model that did well for as long as a quarantine lasts begins anew.
  if (now - record.last > settings_.quarantine) record.deaths = 0;
  record.last = now;
  ++record.deaths;
  const unsigned doublings = std::min(record.deaths - 1, 16U);
  record.not_before = now + (record.deaths >= settings_.deaths_max
                                 ? std::chrono::milliseconds(settings_.quarantine)
                                 : settings_.restart_first * (1U << doublings));
}

}  // namespace cloister
