#include "base/posix/posix_clock.h"

namespace cloister {

UtcSeconds PosixClock::utc() const noexcept {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

SteadyTime PosixClock::steady() const noexcept { return std::chrono::steady_clock::now(); }

}  // namespace cloister
