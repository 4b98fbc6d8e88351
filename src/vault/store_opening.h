#pragma once

#include <memory>

#include "vault/catalogue_files.h"
#include "vault/store_file.h"
#include "vault/vault.h"

namespace cloister {

/// A store that is locked, authenticated and swept.
struct OpenedStore {
  StoreId id{};
  std::unique_ptr<File> lock;
  std::unique_ptr<AeadMaker> aeads;
  std::unique_ptr<StoreKeys> keys;
  std::unique_ptr<CatalogueFiles> files;
  Catalogue catalogue;
};

/// What `open_vault` does before the vault exists; fails as it does. `entropy` and `parts` must
/// outlive what is returned.
Result<OpenedStore> open_store(VaultParts parts, Entropy& entropy, const SecretBytes& root_secret,
                               const VaultSettings& settings, bool create);

/// The steps of opening a store that exists: its lock and ciphers; then, into the same `store`,
/// everything that the identity's key and the anchor open. Fail as `open_vault` does.
Result<OpenedStore> lock_store(VaultParts parts, const VaultSettings& settings);
Status load_store(VaultParts parts, Entropy& entropy, const VaultSettings& settings,
                  StoreIdentity identity, OpenedStore& store);

/// A secret for the anchor to hold from `generation` on: fresh, or empty for an anchor without.
Result<AnchorSecret> fresh_anchor_secret(Entropy& entropy, AnchorKind kind,
                                         std::uint64_t generation);
/// The catalogue's key under the anchor's secret.
Result<CatalogueKey> catalogue_key(const StoreKeys& keys, const AnchorSecret& secret);

/// Opens a listed version's file, wherever it lies. Fails: `corrupt` when it is missing or no
/// regular file; `io`.
Result<std::unique_ptr<File>> open_version_file(Files& files, const FileId& file);

/// Removes the file of an erased version wherever it lies, durably. Fails: `io`.
Status remove_erased(Files& files, const FileId& file);

}  // namespace cloister
