#include "engine/ort/library_place.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "secret/huge_pages.h"

namespace cloister {
namespace {

constexpr std::uint64_t kAddressesMax = 1ULL << 30;

std::size_t whole_pages(std::size_t size) noexcept {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

std::size_t addresses_of_library(Bytes library) noexcept {
  Elf64_Ehdr header{};
  if (library.size() < sizeof header) return 0;
  std::memcpy(&header, library.data(), sizeof header);
  if (!text_of(library).starts_with(ELFMAG) ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phoff > library.size() ||
      header.e_phnum > (library.size() - header.e_phoff) / sizeof(Elf64_Phdr)) {
    return 0;
  }
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    std::memcpy(&part, library.data() + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_type != PT_LOAD) continue;
    if (part.p_vaddr > kAddressesMax || part.p_memsz > kAddressesMax - part.p_vaddr) return 0;
    end = std::max(end, part.p_vaddr + part.p_memsz);
  }
  return end;
}

LibraryPlace::LibraryPlace(Bytes library) noexcept {
  const std::size_t size = whole_pages(addresses_of_library(library));
  if (size < kHugePage) return;
  void* const reserved = ::mmap(nullptr, size + kHugePage, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return;
  below_ = static_cast<std::byte*>(reserved);
  const std::size_t before =
      (kHugePage - reinterpret_cast<std::uintptr_t>(below_) % kHugePage) % kHugePage;
  start_ = below_ + before;
  above_ = start_ + size;
  end_ = below_ + size + kHugePage;
  ::munmap(start_, size);
}

LibraryPlace::~LibraryPlace() {
  if (start_ > below_) ::munmap(below_, static_cast<std::size_t>(start_ - below_));
  if (end_ > above_) ::munmap(above_, static_cast<std::size_t>(end_ - above_));
}

}  // namespace cloister
