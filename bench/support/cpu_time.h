#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <vector>

namespace cloister {

/// Reads what several processes compute together.
class CpuMeter {
 public:
  explicit CpuMeter(const std::vector<pid_t>& processes);

  /// CPU time that the processes have had together since each began, all threads counted. A server
  /// ends workers that it no longer needs: one that is gone counts with what it last had.
  std::chrono::nanoseconds read();

 private:
  std::map<pid_t, std::chrono::nanoseconds> seen_;
};

}  // namespace cloister
