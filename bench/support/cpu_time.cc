#include "support/cpu_time.h"

#include <time.h>

namespace cloister {

CpuMeter::CpuMeter(const std::vector<pid_t>& processes) {
  for (const pid_t each : processes) seen_[each] = {};
}

std::chrono::nanoseconds CpuMeter::read() {
  std::chrono::nanoseconds sum{};
  for (auto& [process, had] : seen_) {
    clockid_t clock = 0;
    timespec time{};
    if (clock_getcpuclockid(process, &clock) == 0 && clock_gettime(clock, &time) == 0) {
      had = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    }
    sum += had;
  }
  return sum;
}

}  // namespace cloister
