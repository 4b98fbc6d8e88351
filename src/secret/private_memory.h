#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

class KeptBlocks;
class KeptFiles;

/// A block of anonymous memory for plaintext that is large: received bodies, models, weights.
/// Page-aligned, in huge pages where the host grants them, left out of core dumps, wiped before
/// it is given back. Only touched pages cost memory, so a bound may be reserved up front.
class PrivateMemory {
 public:
  PrivateMemory() = default;
  /// `size` bytes, 1 byte to 64 GiB, zero at first. Fails: `too_large`, `io` (none to be had).
  static Result<PrivateMemory> reserve(std::uint64_t size);
  /// The same in a memory file of fixed size, which another process may be given: weights that a
  /// worker reads. What fills no huge page is in small ones, last `tail`. Fails as `reserve` does.
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
  /// Of a shareable block, the whole page that follows `bytes` in its file: for what whoever is
  /// given the file shall know of it. Zero at first.
  MutableBytes tail() noexcept;
  /// Where `tail` begins in the file of a block of `size` bytes.
  static std::uint64_t tail_offset(std::uint64_t size) noexcept;

  /// Gives the pages wholly inside [offset, offset + length) back to the host, wiped; the range
  /// reads as zeros afterwards.
  void release(std::size_t offset, std::size_t length) noexcept;

 private:
  friend class PrivateMemoryPool;
  friend class ShareableMemoryPool;
  PrivateMemory(std::byte* start, std::size_t size) noexcept : start_(start), size_(size) {}
  /// A memory file of `whole` bytes, mapped, of which `size` are to be used.
  static Result<PrivateMemory> map_file(std::uint64_t size, std::uint64_t whole);

  std::byte* start_ = nullptr;
  std::size_t size_ = 0;
  int file_ = -1;
  std::shared_ptr<KeptBlocks> origin_;  ///< where a pooled block goes back to; else nothing
  std::shared_ptr<KeptFiles> files_;    ///< the same for a shareable block
  std::size_t touched_ = 0;             ///< of its file, from the beginning on
};

/// Hands out blocks and keeps up to `kept_bytes_max` bytes of those that came back, wiped: to map,
/// touch and unmap fresh memory costs more than to receive a request into it. Those that came back
/// last are kept, and blocks past 32 MiB never. Safe from several threads at once; blocks may
/// outlive the pool.
class PrivateMemoryPool {
 public:
  explicit PrivateMemoryPool(std::uint64_t kept_bytes_max);
  /// As PrivateMemory::reserve, zeros included.
  Result<PrivateMemory> reserve(std::uint64_t size);

 private:
  std::shared_ptr<KeptBlocks> kept_;
};

/// How a host gives huge pages to memory that processes share.
enum class HugePages { none, when_asked, unasked };

/// Hands out shareable blocks, and keeps up to `kept_bytes_max` bytes of those that came back,
/// wiped, for blocks of about their size or larger: to touch a page of a memory file for the first
/// time costs more than to decrypt into it. A block takes at most a 32nd more memory than was asked
/// for.
/// Whoever was given a block's file must be gone before the block is destroyed. Safe from several
/// threads at once; blocks may outlive the pool.
class ShareableMemoryPool {
 public:
  explicit ShareableMemoryPool(std::uint64_t kept_bytes_max);
  /// As PrivateMemory::reserve_shareable, zeros included.
  Result<PrivateMemory> reserve(std::uint64_t size);
  /// What large blocks get here, as a trial showed when the pool was made.
  HugePages huge_pages() const noexcept { return huge_pages_; }
  /// Before `part` of a block, a huge page's worth and at a multiple of that from its beginning, is
  /// filled: has it in a huge page where the host wants to be asked. Another thread may use other
  /// parts meanwhile.
  void before_filling(MutableBytes part) noexcept;

 private:
  std::shared_ptr<KeptFiles> kept_;
  HugePages huge_pages_;
  std::atomic<bool> asking_{true};  ///< until one is refused, and again for the next block
};

}  // namespace cloister
