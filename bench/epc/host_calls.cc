// What the enclave's code asks the C library for, answered in this program; the runtime's library,
// loaded into it, finds these functions before the C library's. Memory comes from the enclave's
// heap, and the time stands still: every 2 s or more the runtime does some bookkeeping of its own,
// which would make the order of its allocations, hence counts of pages, differ from run to run.
// Everybody else gets the C library's, under its own other names.
#include <dlfcn.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "epc/host_calls.h"
#include "epc/inside.h"

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* block);
}

namespace cloister {
namespace {

EnclaveHeap* heap_in_use = nullptr;

bool is_enclaves(const void* block) {
  return heap_in_use != nullptr && block != nullptr && heap_in_use->holds(block);
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  const Side outside(false);
  void* const block = heap_in_use->allocate(bytes, alignment);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

void* reallocate(void* block, std::size_t bytes) {
  if (block != nullptr && bytes <= heap_in_use->room(block)) return block;
  void* const larger = allocate(bytes, 16);
  if (larger == nullptr || block == nullptr) return larger;
  std::memcpy(larger, block, heap_in_use->room(block));
  const Side outside(false);
  heap_in_use->release(block);
  return larger;
}

}  // namespace

EnclaveHeap& enclave_heap() {
  // Blocks are given back until the process has ended, so the heap is never unmade.
  static EnclaveHeap* const heap = new EnclaveHeap;
  heap_in_use = heap;
  return *heap;
}

}  // namespace cloister

extern "C" {

void* malloc(std::size_t bytes) {
  return cloister::inside_enclave ? cloister::allocate(bytes, 16) : __libc_malloc(bytes);
}

void free(void* block) {
  if (!cloister::is_enclaves(block)) return __libc_free(block);
  const cloister::Side outside(false);
  cloister::heap_in_use->release(block);
}

void* calloc(std::size_t count, std::size_t bytes) {
  if (!cloister::inside_enclave) return __libc_calloc(count, bytes);
  std::size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const block = cloister::allocate(all, 16);
  if (block != nullptr) std::memset(block, 0, all);
  return block;
}

void* realloc(void* block, std::size_t bytes) {
  const bool enclaves = block == nullptr ? cloister::inside_enclave : cloister::is_enclaves(block);
  return enclaves ? cloister::reallocate(block, bytes) : __libc_realloc(block, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  return cloister::inside_enclave ? cloister::allocate(bytes, alignment)
                        : __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  void* const made = memalign(alignment, bytes);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}

int clock_gettime(clockid_t clock, timespec* time) {
  if (cloister::inside_enclave) {
    *time = {1, 0};
    return 0;
  }
  static const auto hosts =
      reinterpret_cast<int (*)(clockid_t, timespec*)>(::dlsym(RTLD_NEXT, "clock_gettime"));
  return hosts(clock, time);
}

}  // extern "C"
