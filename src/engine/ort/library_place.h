#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace cloister {

/// Addresses that are kept free for a library while it is loaded, from the beginning of a huge page
/// on: the loader takes the highest that are free. Of a library that lies in huge pages the code is
/// then mapped in huge pages too, and a run spends less on finding it. The system's loader does so
/// by itself for some file systems, and never for a sealed memory file. A wish: where it is not
/// granted the library lies elsewhere.
class LibraryPlace {
 public:
  /// For the library whose file holds `library`.
  explicit LibraryPlace(Bytes library) noexcept;
  ~LibraryPlace();
  LibraryPlace(const LibraryPlace&) = delete;
  LibraryPlace& operator=(const LibraryPlace&) = delete;

  /// Where the library would begin; null where there is no such place.
  const std::byte* start() const noexcept { return start_; }

 private:
  std::byte* below_ = nullptr;
  std::byte* start_ = nullptr;
  std::byte* above_ = nullptr;
  std::byte* end_ = nullptr;
};

/// The addresses that the 64-bit ELF library in `library` takes, from the first to the last of its
/// loaded parts; 0 for anything else and for more than 1 GiB. System V ABI, "Program Header".
std::size_t addresses_of_library(Bytes library) noexcept;

}  // namespace cloister
