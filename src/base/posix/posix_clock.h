#pragma once

#include "base/clock.h"

namespace cloister {

/// The kernel's clocks: CLOCK_REALTIME cut to whole seconds, and CLOCK_MONOTONIC. Safe from any
/// thread.
class PosixClock final : public Clock {
 public:
  UtcSeconds utc() const noexcept override;
  SteadyTime steady() const noexcept override;
};

}  // namespace cloister
