#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// What this process has used up to now.
struct ProcessUsage {
  std::chrono::nanoseconds cpu_time{};
  std::uint64_t resident_bytes = 0;  ///< 0 where the kernel does not say
};
ProcessUsage process_usage() noexcept;

/// Starts this program anew with an empty environment but for `kept` (`NAME=value`), unless the
/// environment is so already. What the operator sets there (LD_PRELOAD, OPENSSL_CONF, MALLOC_*,
/// ORT_*, locales, proxies) then has no effect. Call it first in main, with its `argv`.
/// Fails: `io` when the restart does.
Status drop_environment(char** argv, const std::vector<std::string>& kept);

/// No core dumps, no ptrace by the same user, files readable by the owner only.
/// Fails: `io`.
Status harden_process();

/// Raises this process's limit of open files to at least `least`, as far as the hard limit allows.
/// Fails: `unavailable` where that is less.
Status allow_open_files(std::uint64_t least);

/// From now on the calling thread works with what others leave of the processor, but for a little.
/// Without effect where the kernel does not allow it.
void lower_thread_priority() noexcept;

/// Whether the machine has active swap, where plaintext memory could be written out.
/// Fails: `io` when that cannot be told.
Result<bool> swap_is_active();

/// Blocks SIGTERM and SIGINT for this thread and all that it starts later, and SIGPIPE for good;
/// `wait_for_stop_signal` then receives them.
void block_stop_signals();
/// True once SIGTERM or SIGINT came, false when `most` passed first.
bool wait_for_stop_signal(std::chrono::seconds most);

/// The path of the running program. Fails: `io`.
Result<std::string> program_path();

/// The whole content of a file of the operator's (a configuration, a program): any absolute or
/// relative path, links followed. Fails: `not_found`, `too_large` past `bytes_max`, `io`.
Result<ByteVector> read_operator_file(const std::string& path, std::uint64_t bytes_max);

}  // namespace cloister
