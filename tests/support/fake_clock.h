#pragma once

#include "base/check.h"
#include "base/clock.h"

namespace cloister {

/// A clock that stands still until it is told otherwise. For one thread.
class FakeClock final : public Clock {
 public:
  /// Starts at `utc`; by default 2026-01-01.
  explicit FakeClock(UtcSeconds utc = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1))
      : utc_(utc), steady_(std::chrono::hours(1)) {}

  UtcSeconds utc() const noexcept override { return utc_; }
  SteadyTime steady() const noexcept override { return steady_; }

  /// Moves both clocks; `step` may not be negative.
  void advance(std::chrono::milliseconds step) {
    CLOISTER_CHECK(step.count() >= 0);
    steady_ += step;
    utc_ += std::chrono::floor<std::chrono::seconds>(step);
  }
  /// Sets the host's idea of the date alone, back in time too.
  void set_utc(UtcSeconds utc) noexcept { utc_ = utc; }

 private:
  UtcSeconds utc_;
  SteadyTime steady_;
};

}  // namespace cloister
