#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace cloister {

/// The memory that the enclave's code allocates from, at addresses that only the order of the calls
/// decides. Blocks to 2 KiB share pages with their like, larger ones have pages of their own, the
/// lowest that fit; what is freed stays in place, as in an SGX1 enclave, which cannot give pages
/// back. What the heap notes about its pages stands outside. One thread at a time.
class EnclaveHeap {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{16} << 30;

  EnclaveHeap();
  ~EnclaveHeap();
  EnclaveHeap(const EnclaveHeap&) = delete;
  EnclaveHeap& operator=(const EnclaveHeap&) = delete;
  /// Null where nothing fits. `alignment` is a power of two.
  void* allocate(std::size_t bytes, std::size_t alignment);
  /// `block` was allocated here and is given back once.
  void release(void* block);
  /// Bytes that `block` has room for.
  std::size_t room(const void* block) const;
  /// Gives the pages of free runs back to the kernel, as if they had never been used.
  void forget_free_pages();
  bool holds(const void* block) const noexcept {
    return reinterpret_cast<std::uintptr_t>(block) - kStart < kBytesMax;
  }
  /// All of the memory; most of it is never used.
  std::span<std::byte> memory() const noexcept;

 private:
  static constexpr std::uintptr_t kStart = 0x2000'0000'0000;
  /// One size of block. Free ones are linked through their first bytes.
  struct Shelf {
    std::byte* freed = nullptr;
    std::byte* unused = nullptr;
    std::byte* unused_end = nullptr;
  };
  struct Run {
    std::uint32_t pages = 0;  ///< of a block with pages of its own, at its first page
    std::uint32_t block_bytes = 0;  ///< of a page that blocks share
  };
  std::byte* allocate_pages(std::size_t pages, std::size_t alignment);
  std::byte* allocate_shared(std::size_t bytes);
  std::size_t page_of(const void* block) const noexcept;

  std::map<std::size_t, std::size_t> free_runs_;  ///< first page to pages; no two touch
  std::vector<Run> runs_;  ///< by page, to the highest in use
  std::vector<Shelf> shelves_;
};

}  // namespace cloister
