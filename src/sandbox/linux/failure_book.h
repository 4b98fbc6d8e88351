#pragma once

#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "sandbox/linux/sandbox_engine.h"

namespace cloister {

/// Remembers which models' workers died: after each death a pause that doubles, after too many a
/// quarantine. Safe from several threads.
class FailureBook {
 public:
  FailureBook(const SandboxSettings& settings, const Clock& clock)
      : settings_(settings), clock_(clock) {}

  /// Whether a worker may be started for `model` now. Fails: `unavailable`.
  Status may_start(std::size_t model);
  void died(std::size_t model);

 private:
  struct Record {
    unsigned deaths = 0;
    SteadyTime not_before{};
    SteadyTime last{};
  };
  static constexpr std::size_t kRecordsMax = 4096;

  const SandboxSettings& settings_;
  const Clock& clock_;
  Mutex mutex_;
  std::map<std::size_t, Record> records_ GUARDED_BY(mutex_);
};

}  // namespace cloister
