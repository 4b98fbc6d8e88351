#pragma once

#include "base/entropy.h"

namespace cloister {

/// The kernel's random number generator (getrandom(2)), which waits once until it is seeded.
/// Safe from any thread.
class PosixEntropy final : public Entropy {
 public:
  Status fill(MutableBytes destination) noexcept override;
};

}  // namespace cloister
