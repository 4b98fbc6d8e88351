#pragma once

#include <memory>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/files.h"
#include "config/server_config.h"
#include "crypto/sha256.h"
#include "evidence/platform.h"
#include "options.h"
#include "secret/private_memory.h"
#include "secret/secret_bytes.h"
#include "vault/vault.h"

namespace cloister {

/// Where the store is, and everything that opening it takes: members in the order in which they
/// need each other.
struct StorePlace {
  std::unique_ptr<Files> folder;       ///< the configured one
  std::unique_ptr<Platform> platform;
  std::unique_ptr<Files> files;        ///< the vault's, below it
  std::unique_ptr<Anchor> anchor;
  SecretBytes root_secret;
  std::unique_ptr<ShareableMemoryPool> weights;  ///< of opened models; null inside the server
  VaultSettings settings;
  bool first = false;                  ///< nothing was ever stored here: a store may be made
};

/// Finds the store that `config` names, and makes its folder where `options` say that a store may
/// be made. `software` is this build's digest. Fails: `not_found`, `corrupt`, `io`.
Result<StorePlace> find_store(const Options& options, const ServerConfig& config,
                              const Sha256Digest& software, Entropy& entropy);

/// What of the memory budget models may take: the rest keeps memory of models that went for those
/// that come.
std::uint64_t models_bytes(const ServerConfig& config);

/// What every use of the vault takes. `place`, `entropy` and `clock` must outlive it.
VaultParts vault_parts(const StorePlace& place, Entropy& entropy, const Clock& clock);

}  // namespace cloister
