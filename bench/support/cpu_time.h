#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

namespace cloister {

/// CPU time that `processes` have had together since each began, all threads counted. A process
/// that is not there ends the program.
std::chrono::nanoseconds cpu_time(const std::vector<pid_t>& processes);

}  // namespace cloister
