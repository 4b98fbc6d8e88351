#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Random bytes fit for keys. Implemented by base/posix (getrandom) and by fakes.
class Entropy {
 public:
  virtual ~Entropy() = default;
  /// Fills all of `destination` or fails with `io`; then nothing of it may be used.
  virtual Status fill(MutableBytes destination) noexcept = 0;
};

}  // namespace cloister
