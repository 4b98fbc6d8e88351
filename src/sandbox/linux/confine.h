#pragma once

#include <cstdint>

#include "base/result.h"

namespace cloister {

/// Worker, first thing: takes away every file but what the loader and the runtime read about the
/// machine (/proc, /sys/devices, the system's libraries), for good. False where the kernel has no
/// Landlock.
bool restrict_files() noexcept;

/// Worker: maps every page of code that is in the process, which the first model would otherwise
/// wait for, page after page.
void touch_code() noexcept;

/// What a locked worker is for.
enum class Duty {
  run,
  /// Writes the optimised graph into one memory file that it holds: opening by path, writing and
  /// closing stay possible, but Landlock leaves no path but those of its own memory files.
  optimise,
};

/// Worker, before it sees the first byte of a model: bounds private memory to `memory_max` bytes,
/// addresses to hardly more than are mapped then, and files to `file_max`, gives up being traced,
/// and sets the seccomp filter over all threads. From then on every system call that
/// docs/design/0003-sandbox.md does not list fails; nothing can be opened, executed, made
/// executable, connected or signalled. Fails: `io`; it must not go on.
Status lock_down(Duty duty, std::uint64_t memory_max, std::uint64_t file_max);

}  // namespace cloister
