#include "engine/ort/library_place.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "secret/huge_pages.h"

namespace cloister {
namespace {

constexpr std::size_t kPage = 4096;

Elf64_Phdr part(std::uint32_t type, std::uint64_t address, std::uint64_t size) {
  Elf64_Phdr header{};
  header.p_type = type;
  header.p_vaddr = address;
  header.p_memsz = size;
  return header;
}

/// The head of a library file with these parts.
ByteVector library(const std::vector<Elf64_Phdr>& parts) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phoff = sizeof header;
  header.e_phnum = static_cast<std::uint16_t>(parts.size());
  ByteVector file(sizeof header + parts.size() * sizeof(Elf64_Phdr));
  std::memcpy(file.data(), &header, sizeof header);
  if (parts.empty()) return file;
  std::memcpy(file.data() + sizeof header, parts.data(), parts.size() * sizeof(Elf64_Phdr));
  return file;
}

TEST(AddressesOfLibrary, ReachToTheEndOfTheLastLoadedPart) {
  const ByteVector file = library({part(PT_LOAD, 0, 100), part(PT_LOAD, 0x5000, 0x1234),
                                   part(PT_DYNAMIC, 0x9000, 100), part(PT_LOAD, 0x2000, 1)});
  EXPECT_EQ(addresses_of_library(file), 0x6234U);
}

TEST(AddressesOfLibrary, AreNoneForWhatIsNoLibrary) {
  EXPECT_EQ(addresses_of_library({}), 0U);
  EXPECT_EQ(addresses_of_library(library({})), 0U);
  const ByteVector good = library({part(PT_LOAD, 0, 100)});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(addresses_of_library(Bytes(good).first(size)), 0U) << size;
  }
  for (const std::size_t at : {0UL, 4UL, offsetof(Elf64_Ehdr, e_phentsize)}) {
    ByteVector other = good;
    other[at] ^= std::byte{3};
    EXPECT_EQ(addresses_of_library(other), 0U) << at;
  }
  for (std::size_t at = offsetof(Elf64_Ehdr, e_phoff); at < sizeof(Elf64_Ehdr); ++at) {
    ByteVector other = good;
    other[at] = std::byte{0xff};
    static_cast<void>(addresses_of_library(other));  // reads nothing outside
  }
  EXPECT_EQ(addresses_of_library(library({part(PT_LOAD, 1, UINT64_MAX)})), 0U);
  EXPECT_EQ(addresses_of_library(library({part(PT_LOAD, 0, (1ULL << 30) + 1)})), 0U);
}

TEST(LibraryPlace, IsWhereAHugePageBeginsAndTheNextMappingGoes) {
  constexpr std::size_t kSize = 11 * kHugePage + 5 * kPage;
  const std::byte* start = nullptr;
  {
    const LibraryPlace place(library({part(PT_LOAD, 0, kSize - 7)}));
    start = place.start();
    ASSERT_NE(start, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(start) % kHugePage, 0U);
    void* const mapped =
        ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(mapped, MAP_FAILED);
    EXPECT_EQ(mapped, start);
  }
  EXPECT_EQ(*start, std::byte{0}) << "still mapped when the place is gone";
  ::munmap(const_cast<std::byte*>(start), kSize);
}

TEST(LibraryPlace, IsNowhereForSmallOrStrangeLibraries) {
  EXPECT_EQ(LibraryPlace(library({part(PT_LOAD, 0, kPage)})).start(), nullptr);
  EXPECT_EQ(LibraryPlace({}).start(), nullptr);
}

}  // namespace
}  // namespace cloister
