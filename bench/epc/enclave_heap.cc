#include "epc/enclave_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cloister {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSharedMax = 2048;
constexpr std::size_t kSharedPages = 16;
constexpr std::size_t kLine = 64;

/// Sizes of blocks that share pages: multiples of 16 below a cache line, of cache lines above.
std::size_t rounded(std::size_t bytes) {
  const std::size_t step = bytes < kLine ? 16 : kLine;
  return std::max<std::size_t>(16, (bytes + step - 1) / step * step);
}

std::size_t shelf_of(std::size_t block_bytes) { return block_bytes / 16; }

}  // namespace

EnclaveHeap::EnclaveHeap() : shelves_(shelf_of(kSharedMax) + 1) {
  void* const wanted = reinterpret_cast<void*>(kStart);
  void* const start = ::mmap(wanted, kBytesMax, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                             -1, 0);
  CLOISTER_CHECK(start == wanted);
  CLOISTER_CHECK(::madvise(start, kBytesMax, MADV_NOHUGEPAGE) == 0);
  free_runs_[0] = kBytesMax / kPage;
}

EnclaveHeap::~EnclaveHeap() { ::munmap(memory().data(), kBytesMax); }

std::span<std::byte> EnclaveHeap::memory() const noexcept {
  return {reinterpret_cast<std::byte*>(kStart), kBytesMax};
}

std::size_t EnclaveHeap::page_of(const void* block) const noexcept {
  return (reinterpret_cast<std::uintptr_t>(block) - kStart) / kPage;
}

std::byte* EnclaveHeap::allocate_pages(std::size_t pages, std::size_t alignment) {
  const std::size_t step = std::max<std::size_t>(1, alignment / kPage);
  for (auto run = free_runs_.begin(); run != free_runs_.end(); ++run) {
    const auto [first, count] = *run;
    const std::size_t start = (first + step - 1) / step * step;
    if (start + pages > first + count) continue;
    free_runs_.erase(run);
    if (start > first) free_runs_[first] = start - first;
    if (start + pages < first + count) {
      free_runs_[start + pages] = first + count - start - pages;
    }
    if (runs_.size() < start + pages) runs_.resize(start + pages);
    runs_[start] = {static_cast<std::uint32_t>(pages), 0};
    return memory().data() + start * kPage;
  }
  return nullptr;
}

std::byte* EnclaveHeap::allocate_shared(std::size_t bytes) {
  Shelf& shelf = shelves_[shelf_of(bytes)];
  if (shelf.freed != nullptr) {
    std::byte* const block = shelf.freed;
    std::memcpy(&shelf.freed, block, sizeof(shelf.freed));
    return block;
  }
  if (shelf.unused_end - shelf.unused < static_cast<std::ptrdiff_t>(bytes)) {
    std::byte* const pages = allocate_pages(kSharedPages, kPage);
    if (pages == nullptr) return nullptr;
    shelf.unused = pages;
    shelf.unused_end = pages + kSharedPages * kPage;
    const std::size_t first = page_of(pages);
    for (std::size_t page = first; page < first + kSharedPages; ++page) {
      runs_[page] = {0, static_cast<std::uint32_t>(bytes)};
    }
  }
  return std::exchange(shelf.unused, shelf.unused + bytes);
}

void* EnclaveHeap::allocate(std::size_t bytes, std::size_t alignment) {
  if (bytes > kBytesMax) return nullptr;
  const std::size_t block = rounded(alignment > 16 ? std::max(bytes, kLine) : bytes);
  if (block <= kSharedMax && alignment <= kLine) return allocate_shared(block);
  return allocate_pages(std::max<std::size_t>(1, (bytes + kPage - 1) / kPage), alignment);
}

void EnclaveHeap::forget_free_pages() {
  for (const auto& [first, count] : free_runs_) {
    void* const start = memory().data() + first * kPage;
    CLOISTER_CHECK(::madvise(start, count * kPage, MADV_DONTNEED) == 0);
  }
}

std::size_t EnclaveHeap::room(const void* block) const {
  const Run& run = runs_.at(page_of(block));
  return run.pages > 0 ? run.pages * kPage : run.block_bytes;
}

void EnclaveHeap::release(void* block) {
  const std::size_t first = page_of(block);
  Run& run = runs_.at(first);
  if (run.pages == 0) {
    Shelf& shelf = shelves_[shelf_of(run.block_bytes)];
    std::memcpy(block, &shelf.freed, sizeof(shelf.freed));
    shelf.freed = static_cast<std::byte*>(block);
    return;
  }
  std::size_t start = first;
  std::size_t count = std::exchange(run.pages, 0);
  const auto after = free_runs_.find(start + count);
  if (after != free_runs_.end()) {
    count += after->second;
    free_runs_.erase(after);
  }
  auto before = free_runs_.lower_bound(start);
  if (before != free_runs_.begin() && (--before)->first + before->second == start) {
    start = before->first;
    count += before->second;
  }
  free_runs_[start] = count;
}

}  // namespace cloister
