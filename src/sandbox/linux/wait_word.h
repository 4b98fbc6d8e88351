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

/// Looks at a word for a moment before its user sleeps on it: small models answer at once, and to
/// sleep and be woken takes longer. On a busy machine looking only takes the processor from who is
/// waited for, so it looks as long as that has paid lately. Used by one thread at a time.
class BriefLook {
 public:
  /// Returns when `word` is no longer `value`, or soon.
  void await(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept;

 private:
  static constexpr unsigned kLooksMax = 400;
  unsigned looks_ = kLooksMax;
  unsigned in_vain_ = 0;
};

}  // namespace cloister
