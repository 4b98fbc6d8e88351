#pragma once

#include <cstddef>
#include <cstdint>

namespace cloister {

inline constexpr std::size_t kHugePage = 2U << 20;

/// Maps `size` bytes of `file` from `offset`, a whole page's, on, shared; at the beginning of a
/// huge page where they fill one: the host maps a file's huge pages as such nowhere else, and sees
/// to it by itself only where shared memory gets them unasked. Null where there is no room.
std::byte* map_shared_file(int file, std::uint64_t size, int protection,
                           std::uint64_t offset = 0) noexcept;

/// Before the huge page's worth at `start` is first used, which in such a mapping begins a huge
/// page: has it in one page, which takes a third of the time of the small ones. Hosts whose
/// `shmem_enabled` is `never`, as it usually is, do so when they are asked (MADV_COLLAPSE, since
/// Linux 6.1). What was used before is left as it is. False where the host has none.
bool ask_for_huge_page(std::byte* start) noexcept;

}  // namespace cloister
