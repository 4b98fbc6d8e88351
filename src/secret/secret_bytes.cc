#include "secret/secret_bytes.h"

#include <cstring>

namespace cloister {

void wipe(MutableBytes bytes) noexcept {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

bool equal_in_constant_time(Bytes a, Bytes b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= std::to_integer<unsigned>(a[i] ^ b[i]);
    // Keeps the compiler from turning the loop into one that stops early.
    __asm__ volatile("" : "+r"(difference));
  }
  return difference == 0;
}

}  // namespace cloister
