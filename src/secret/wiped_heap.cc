#include "secret/wiped_heap.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "secret/secret_bytes.h"

namespace cloister {

void* allocate_wiped(std::size_t bytes, const char*, int) noexcept {
  return bytes == 0 ? nullptr : std::malloc(bytes);
}

void* resize_wiped(void* block, std::size_t bytes, const char* file, int line) noexcept {
  // Never in place: what realloc moves it leaves behind.
  void* const other = allocate_wiped(bytes, file, line);
  if (bytes != 0 && other == nullptr) return nullptr;
  if (block != nullptr && other != nullptr) {
    std::memcpy(other, block, std::min(bytes, ::malloc_usable_size(block)));
  }
  free_wiped(block, file, line);
  return other;
}

void free_wiped(void* block, const char*, int) noexcept {
  if (block == nullptr) return;
  // All that the block has room for: its last user may have used that.
  wipe({static_cast<std::byte*>(block), ::malloc_usable_size(block)});
  std::free(block);
}

}  // namespace cloister
