#pragma once

#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "sandbox/linux/sandbox_engine.h"

namespace cloister {

/// Remembers which versions' workers died: after each death a pause that doubles, after too many a
/// quarantine. Safe from several threads.
class FailureBook {
 public:
  FailureBook(const SandboxSettings& settings, const Clock& clock)
      : settings_(settings), clock_(clock) {}

  /// Whether a worker may be started for `version` now: always for none. Fails: `unavailable`.
  Status may_start(const std::optional<VersionRef>& version) const;
  void died(const std::optional<VersionRef>& version);
  Standing standing(const VersionRef& version) const;
  /// How often `died` was called.
  std::uint64_t deaths() const;

 private:
  struct Record {
    unsigned deaths = 0;
    SteadyTime not_before{};
    SteadyTime last{};
  };
  static constexpr std::size_t kRecordsMax = 4096;

  const SandboxSettings& settings_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<VersionRef, Record> records_ GUARDED_BY(mutex_);
  std::uint64_t deaths_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cloister
