#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

class KeptBlocks;

/// A block of anonymous memory for plaintext that is large: received bodies, models, weights.
/// Page-aligned, in huge pages where the host grants them, left out of core dumps, wiped before
/// it is given back. Only touched pages cost memory, so a bound may be reserved up front.
class PrivateMemory {
 public:
  PrivateMemory() = default;
  /// `size` bytes, 1 byte to 64 GiB, zero at first. Fails: `too_large`, `io` (none to be had).
  static Result<PrivateMemory> reserve(std::uint64_t size);
  /// The same in a memory file of fixed size, which another process may be given: weights that a
  /// worker reads. In small pages. Fails as `reserve` does.
  static Result<PrivateMemory> reserve_shareable(std::uint64_t size);

  PrivateMemory(PrivateMemory&& other) noexcept;
  PrivateMemory& operator=(PrivateMemory&& other) noexcept;
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;
  ~PrivateMemory();

  MutableBytes bytes() noexcept { return {start_, size_}; }
  Bytes bytes() const noexcept { return {start_, size_}; }
  std::size_t size() const noexcept { return size_; }
  /// The memory file's descriptor, which stays this object's; -1 where there is none.
  int file() const noexcept { return file_; }

  /// Gives the pages wholly inside [offset, offset + length) back to the host, wiped; the range
  /// reads as zeros afterwards.
  void release(std::size_t offset, std::size_t length) noexcept;

 private:
  friend class PrivateMemoryPool;
  PrivateMemory(std::byte* start, std::size_t size) noexcept : start_(start), size_(size) {}

  std::byte* start_ = nullptr;
  std::size_t size_ = 0;
  int file_ = -1;
  std::shared_ptr<KeptBlocks> origin_;  ///< where a pooled block goes back to; else nothing
};

/// Hands out blocks and keeps up to `kept_bytes_max` bytes of those that came back, wiped: to map,
/// touch and unmap fresh memory costs more than to receive a request into it. Blocks past 4 MiB
/// are never kept. Safe from several threads at once; blocks may outlive the pool.
class PrivateMemoryPool {
 public:
  explicit PrivateMemoryPool(std::uint64_t kept_bytes_max);
  /// As PrivateMemory::reserve, zeros included.
  Result<PrivateMemory> reserve(std::uint64_t size);

 private:
  std::shared_ptr<KeptBlocks> kept_;
};

}  // namespace cloister
