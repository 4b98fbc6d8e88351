#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace cloister {

inline constexpr std::size_t kPageBytes = 4096;
using PageView = std::span<std::byte, kPageBytes>;
using PageTag = std::array<std::byte, 16>;

/// AES-128-GCM over one page in place, as EWB and ELDU protect a page: its version is the nonce,
/// its number the associated data. Allocates only when it is made, so that it may be used where a
/// fault is handled. One thread at a time.
class PageCipher {
 public:
  /// Takes a fresh random key. Fails: `internal`.
  static Result<PageCipher> make();
  PageCipher(PageCipher&&) noexcept;
  ~PageCipher();

  /// No `version` may be given twice. Fails: `internal`.
  Result<PageTag> seal(PageView page, std::uint64_t number, std::uint64_t version);
  /// Fails: `corrupt` where the page, its tag, its number or its version is another.
  Status open(PageView page, std::uint64_t number, std::uint64_t version, const PageTag& tag);

 private:
  struct Parts;
  explicit PageCipher(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
