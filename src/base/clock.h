#pragma once

#include <chrono>

namespace cloister {

using UtcSeconds = std::chrono::sys_seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// Time as the host tells it. `utc` may stop or run back (the host owns it); `steady` never runs
/// back. Implemented by base/posix and by fakes.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual UtcSeconds utc() const noexcept = 0;
  virtual SteadyTime steady() const noexcept = 0;
};

}  // namespace cloister
