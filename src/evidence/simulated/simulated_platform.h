#pragma once

#include <memory>
#include <string>

#include "base/entropy.h"
#include "base/files.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "evidence/platform.h"

namespace cloister {

/// The file that holds the root secret of the simulated platform, in the store's folder.
inline constexpr const char* kSimulatedRootFile = "insecure-simulation-root.key";

/// A platform without any hardware: the root secret lies in kSimulatedRootFile beside the store,
/// and the evidence is signed with a key that anybody could make. Protects nothing from the
/// machine's owner. `measurement` stands where hardware would put the code's (the software digest).
/// Fails: `corrupt` when the file is not what was written, `io`.
Result<std::unique_ptr<Platform>> make_simulated_platform(Files& store_folder, Entropy& entropy,
                                                          const Sha256Digest& measurement);

}  // namespace cloister
