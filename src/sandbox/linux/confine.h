#pragma once

#include <cstdint>

#include "base/result.h"

namespace cloister {

/// Worker, first thing: takes away every file but what the loader and the runtime read about the
/// machine (/proc, /sys/devices, the system's libraries), for good. False where the kernel has no
/// Landlock.
bool restrict_files() noexcept;

/// Worker, before it sees the first byte of a model: bounds private memory to `memory_max` bytes
/// more than it has, gives up being traced, and sets the seccomp filter over all threads. From
/// then on every system call that docs/design/0003-sandbox.md does not list fails; nothing can be
/// opened, executed, made executable, connected or signalled. Fails: `io`; then it must not go on.
Status lock_down(std::uint64_t memory_max);

}  // namespace cloister
