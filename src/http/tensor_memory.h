#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/private_memory.h"

namespace cloister {

/// Hands out pieces of one block of private memory that is reserved when the first is asked for.
class TensorMemory {
 public:
  /// `bytes_max`: what all pieces may take together, their alignment included.
  /// `pool`: where the block comes from; null: fresh from the host.
  explicit TensorMemory(std::uint64_t bytes_max, PrivateMemoryPool* pool = nullptr) noexcept
      : bytes_max_(bytes_max), pool_(pool) {}

  /// The next `bytes` bytes, aligned for every element type. Fails: `too_large`, `io`.
  Result<MutableBytes> take(std::uint64_t bytes);
  /// What the pieces take up to now, their alignment included.
  std::uint64_t used() const noexcept { return used_; }
  /// What one more piece may have at most.
  std::uint64_t left() const noexcept;
  /// Gives the end of the piece taken last back, beyond its first `kept` bytes.
  void shrink_last(MutableBytes piece, std::uint64_t kept) noexcept;
  /// The block; pieces keep their places.
  PrivateMemory release() && { return std::move(block_); }

 private:
  PrivateMemory block_;
  std::uint64_t bytes_max_;
  PrivateMemoryPool* pool_;
  std::uint64_t used_ = 0;
};

}  // namespace cloister
