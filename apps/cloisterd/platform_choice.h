#pragma once

#include <memory>

#include "base/entropy.h"
#include "base/files.h"
#include "base/result.h"
#include "config/server_config.h"
#include "crypto/sha256.h"
#include "evidence/platform.h"

namespace cloister {

/// What vouches for this server, as the configuration says. "auto" looks for an enclave from the
/// inside out: one that is there but does not answer stops the start, and so does finding none. A
/// TPM alone and a simulation are never found, only named. `store_folder` holds the root secret of
/// a simulation, whose measurement is `software`.
/// Fails: `unavailable`, `not_found`, `io`; the Detail names the platform.
Result<std::unique_ptr<Platform>> choose_platform(const ServerConfig& config, Files& store_folder,
                                                  Entropy& entropy, const Sha256Digest& software);

/// What the store's keys come from: the platform's sealing key, or the TPM's where the
/// configuration says so. A simulation's is bound to `software` where an enclave's would be to its
/// measurement. Fails: as the platform does; `unavailable` where it has no such key.
Result<SecretBytes> choose_root_secret(const ServerConfig& config, Platform& platform,
                                       const Sha256Digest& software);

}  // namespace cloister
