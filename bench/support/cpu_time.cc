#include "support/cpu_time.h"

#include <time.h>

#include "base/check.h"

namespace cloister {

std::chrono::nanoseconds cpu_time(const std::vector<pid_t>& processes) {
  std::chrono::nanoseconds sum{};
  for (const pid_t each : processes) {
    clockid_t clock = 0;
    timespec time{};
    CLOISTER_CHECK(clock_getcpuclockid(each, &clock) == 0 && clock_gettime(clock, &time) == 0);
    sum += std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return sum;
}

}  // namespace cloister
