#pragma once

#include <cstddef>

namespace cloister {

/// A heap whose blocks are wiped before they are freed, for a library that takes such functions and
/// passes the places of its calls with them (OpenSSL: CRYPTO_set_mem_functions(3)). As malloc,
/// realloc and free are, but that 0 bytes are no block. Safe from several threads.
void* allocate_wiped(std::size_t bytes, const char* file, int line) noexcept;
/// `block` may be null, as after it is freed by `bytes` of 0.
void* resize_wiped(void* block, std::size_t bytes, const char* file, int line) noexcept;
void free_wiped(void* block, const char* file, int line) noexcept;

}  // namespace cloister
