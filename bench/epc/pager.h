#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "epc/page_cipher.h"

namespace cloister {

/// What happened since the pager started. Counts are exact.
struct PageCounts {
  std::uint64_t in = 0;       ///< pages that entered, the first use of a page included
  std::uint64_t fresh = 0;    ///< of these, first uses
  std::uint64_t out = 0;      ///< pages that left
  std::uint64_t noticed = 0;  ///< uses of resident pages that only the accessed bit is about
  std::uint64_t handling_ns = 0;  ///< processor time in the pager, ciphers included
  std::uint64_t cipher_ns = 0;
};
PageCounts operator-(const PageCounts& after, const PageCounts& before);

/// Memory of which only so many pages are resident, as an enclave's is that shares a small enclave
/// page cache. Every first access to an absent page is a fault (userfaultfd), handled in the thread
/// that caused it. A page that leaves is sealed into ordinary memory, one that enters is verified.
///
/// Which page leaves is the choice of Intel's SGX1 driver (linux-sgx-driver, sgx_page_cache.c): a
/// queue in order of arrival; when fewer than 32 pages are free, 16 at a time are looked at from
/// its front until 64 are free; a page that was accessed since it was last looked at goes to the
/// back, the others leave. The accessed bit is a fault too: a page that was looked at is taken away
/// (its content kept), so that its next use is noticed.
///
/// One at a time in a process, and one thread that uses the memory. The kernel cannot touch absent
/// pages: a system call over such memory fails (EFAULT).
class Pager {
 public:
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;
  static constexpr std::uint64_t kFreeLow = 32;
  static constexpr std::uint64_t kFreeHigh = 64;
  static constexpr std::uint64_t kLookedAtOnce = 16;

  /// Watches `memory`: private anonymous pages without huge pages, page-aligned, which must outlive
  /// the pager. What is in it counts as resident. Nothing leaves before a limit is set.
  /// Fails: `unavailable` where the kernel does not permit it, `io`.
  static Result<std::unique_ptr<Pager>> watch(std::span<std::byte> memory);
  ~Pager();
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

  /// From now on `pages`, at least 2 * kFreeHigh, may be resident; the excess leaves at once.
  void limit(std::uint64_t pages);
  /// Everything leaves, so that the next use of each page is a page in.
  void send_all_out();
  /// Everything that ever was in use enters, no fault happens until a limit is set, and the queue
  /// is in the order of addresses: what is counted next does not depend on what was before.
  void bring_all_in();
  /// Pages of the memory that were ever in use.
  std::uint64_t used() const noexcept;
  PageCounts counts() const noexcept;

  /// What the fault handler does for page `number`. Fails: `corrupt` where the page does not verify
  /// (the handler then ends the program), `invalid` where the page is there already.
  Status enter(std::uint64_t number);
  /// Where page `number` is kept while it is out, for tests that change it there.
  PageView stored(std::uint64_t number) noexcept;

 private:
  struct Parts;
  explicit Pager(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
