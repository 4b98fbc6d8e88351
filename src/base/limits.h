#pragma once

#include <cstdint>

#include "base/result.h"

namespace cloister {

/// `a * b`. Fails: `too_large` on overflow.
inline Result<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return Error{Code::too_large, "limits.multiply"};
  return product;
}

/// `a + b`. Fails: `too_large` on overflow.
inline Result<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return Error{Code::too_large, "limits.add"};
  return sum;
}

}  // namespace cloister
