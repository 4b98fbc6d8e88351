#pragma once

#include <cstdio>
#include <cstdlib>

/// States what only a bug can break; stays on in release and never tests input.
/// On failure prints the place (never a value) and aborts.
#define CLOISTER_CHECK(condition)                                                      \
  do {                                                                                 \
    if (!(condition)) [[unlikely]] {                                                   \
      std::fprintf(stderr, "cloister: check failed at %s:%d\n", __FILE__, __LINE__);   \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)
