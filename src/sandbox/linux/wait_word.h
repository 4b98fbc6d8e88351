#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace cloister {

/// Sleeps while `word`, in memory that may be shared between processes, is `value`: until somebody
/// wakes it, `at_most` passed or nothing in particular happened. futex(2).
void wait_on_word(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                  std::chrono::nanoseconds at_most) noexcept;
/// Wakes everybody who waits on `word`.
void wake_word(std::atomic<std::uint32_t>& word) noexcept;

}  // namespace cloister
