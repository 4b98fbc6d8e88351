#include "sandbox/linux/failure_book.h"

#include <algorithm>

namespace cloister {

Standing FailureBook::standing(const VersionRef& version) const {
  const MutexLock lock(mutex_);
  const auto found = records_.find(version);
  if (found == records_.end() || clock_.steady() >= found->second.not_before) return Standing::well;
  return found->second.deaths >= settings_.deaths_max ? Standing::quarantined
                                                      : Standing::restarting;
}

std::uint64_t FailureBook::deaths() const {
  const MutexLock lock(mutex_);
  return deaths_;
}

Status FailureBook::may_start(const std::optional<VersionRef>& version) const {
  const Standing now = version ? standing(*version) : Standing::well;
  if (now == Standing::well) return Done{};
  return Error{Code::unavailable, "sandbox.restart",
               Detail(now == Standing::quarantined
                          ? "the model's process kept dying; it is not started for a while"
                          : "the model's process died; it will be started again shortly")};
}

void FailureBook::died(const std::optional<VersionRef>& version) {
  const MutexLock lock(mutex_);
  ++deaths_;
  if (!version) return;
  const VersionRef& model = *version;
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
