#include "sandbox/linux/wait_word.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace cloister {

void wait_on_word(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                  std::chrono::nanoseconds at_most) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_most);
  const timespec limit{seconds.count(), (at_most - seconds).count()};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, &limit, nullptr, 0);
}

void wake_word(std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void BriefLook::await(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
  constexpr unsigned kTryAgainEvery = 64;
  for (unsigned i = 0; i < looks_; ++i) {
    if (word.load(std::memory_order_acquire) != value) {
      looks_ = kLooksMax;
      return;
    }
    __builtin_ia32_pause();
  }
  looks_ /= 2;
  if (++in_vain_ % kTryAgainEvery == 0) looks_ = kLooksMax / 4;
}

}  // namespace cloister
