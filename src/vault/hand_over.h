#pragma once

#include "vault/vault.h"

namespace cloister {

/// The header of the file `store`, then the store key: docs/store-format.md, "The file `store`".
inline constexpr std::size_t kHandOverBytes = 96;

/// What another platform identity needs to take the store over: whose evidence it is given to is
/// the caller's to have judged, by the policy whose digest is `settings.upgrade_policy`. Changes
/// nothing. Fails: `denied` (the store was made without an upgrade policy, or with another one),
/// else as opening the store does.
Result<SecretBytes> export_store(VaultParts parts, const SecretBytes& root_secret,
                                 const VaultSettings& settings);

/// The other side: opens the store below `parts.files` with what was handed over, the anchor
/// included, and only then seals it under this platform's `root_secret` in place of the old one's.
/// No version is read or written. Fails: `corrupt` (not of this store), `conflict` (a server has
/// it open), `denied` as above, and the store is as it was; `io`, and it opens for one of the two.
Status import_store(VaultParts parts, const SecretBytes& root_secret,
                    const VaultSettings& settings, const SecretBytes& handed_over);

}  // namespace cloister
