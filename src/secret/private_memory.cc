#include "secret/private_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace cloister {
namespace {

constexpr std::uint64_t kPrivateMemoryMax = 64ULL << 30;
constexpr std::size_t kHugePage = 2U << 20;

std::size_t page_size() noexcept { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

Result<PrivateMemory> PrivateMemory::reserve(std::uint64_t size) {
  if (size == 0 || size > kPrivateMemoryMax) return Error{Code::too_large, "private_memory.size"};
  void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return Error{Code::io, "private_memory.map"};
  // Both are wishes: a host without them costs time or a larger dump, which are refused elsewhere.
  if (size >= kHugePage) madvise(start, size, MADV_HUGEPAGE);
  madvise(start, size, MADV_DONTDUMP);
  return PrivateMemory(static_cast<std::byte*>(start), size);
}

PrivateMemory::PrivateMemory(PrivateMemory&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PrivateMemory& PrivateMemory::operator=(PrivateMemory&& other) noexcept {
  std::swap(start_, other.start_);
  std::swap(size_, other.size_);
  return *this;
}

PrivateMemory::~PrivateMemory() {
  if (start_ == nullptr) return;
  // The kernel hands pages to others only after clearing them, and pages never touched need no
  // wiping: unmapping is the wipe.
  munmap(start_, size_);
}

void PrivateMemory::release(std::size_t offset, std::size_t length) noexcept {
  const std::size_t page = page_size();
  const std::size_t end = std::min(size_, offset + std::min(length, size_ - std::min(size_, offset)));
  const std::size_t first = (offset + page - 1) / page * page;
  const std::size_t last = end / page * page;
  if (first < last) madvise(start_ + first, last - first, MADV_DONTNEED);
}

}  // namespace cloister
