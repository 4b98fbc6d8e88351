#pragma once

namespace cloister {

/// What a secret that SGX seals is bound to: this very build, or every build of its signer.
enum class SealIdentity { mrenclave, mrsigner };

}  // namespace cloister
