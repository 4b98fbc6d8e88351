#include "secret/huge_pages.h"

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

namespace cloister {
namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE, which older headers do not have

std::size_t page_size() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool is_there(std::byte* page) noexcept {
  unsigned char there = 0;
  return mincore(page, page_size(), &there) == 0 && (there & 1U) != 0;
}

}  // namespace

std::byte* map_shared_file(int file, std::uint64_t size, int protection,
                           std::uint64_t offset) noexcept {
  const auto from = static_cast<off_t>(offset);
  if (size < kHugePage) {
    void* const start = mmap(nullptr, size, protection, MAP_SHARED, file, from);
    return start == MAP_FAILED ? nullptr : static_cast<std::byte*>(start);
  }
  const std::size_t page = page_size();
  const std::size_t pages = (size + page - 1) / page * page;
  const std::size_t room = pages + kHugePage;
  void* const reserved = mmap(nullptr, room, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  std::byte* const begin = static_cast<std::byte*>(reserved);
  const std::size_t before =
      (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  std::byte* const start = begin + before;
  if (mmap(start, size, protection, MAP_SHARED | MAP_FIXED, file, from) == MAP_FAILED) {
    munmap(begin, room);
    return nullptr;
  }
  if (before > 0) munmap(begin, before);
  munmap(start + pages, kHugePage - before);
  return start;
}

bool ask_for_huge_page(std::byte* start) noexcept {
  if (is_there(start)) return true;
  // Where nothing is there at all, the kernel has nothing to begin with.
  static_cast<void>(*static_cast<volatile std::byte*>(start));
  return madvise(start, kHugePage, kCollapse) == 0;
}

}  // namespace cloister
