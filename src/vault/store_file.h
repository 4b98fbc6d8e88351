#pragma once

#include <memory>

#include "base/entropy.h"
#include "base/files.h"
#include "vault/anchor.h"
#include "vault/format.h"
#include "vault/store_keys.h"

namespace cloister {

/// What the file `store` says: docs/store-format.md, "The file `store`".
struct StoreIdentity {
  StoreId id{};
  AnchorKind anchor = AnchorKind::none;
  Sha256Digest upgrade_policy{};  ///< of the policy fixed when the store was made; zeros for none
  SecretBytes store_key;
};

inline constexpr const char* kStorePath = "store";

/// Makes a new identity with a fresh store key, in memory. Fails: `io`.
Result<StoreIdentity> make_identity(Entropy& entropy, AnchorKind anchor,
                                    const Sha256Digest& upgrade_policy);
/// Seals `identity` under `root_secret` (32 bytes) and puts it on disk, durably, replacing an
/// older one: how a store is made, and how it is handed to a new platform identity.
/// Fails: `io`, `invalid` (a root secret of another length).
Status write_identity(Files& files, Entropy& entropy, const AeadMaker& aeads,
                      const SecretBytes& root_secret, const StoreIdentity& identity);
/// Fails: `not_found`; `corrupt` (damaged, or of another platform identity); `io`.
Result<StoreIdentity> read_identity(Files& files, const AeadMaker& aeads,
                                    const SecretBytes& root_secret);

/// The whole identity in one secret, as vault/hand_over.h has it; and back. `decode_identity`
/// fails with `corrupt`.
SecretBytes encode_identity(const StoreIdentity& identity);
Result<StoreIdentity> decode_identity(const SecretBytes& encoded);
/// Whether the file `store` on disk has this identity's header. Fails: `corrupt`, `not_found`,
/// `io`.
Status check_header(Files& files, const StoreIdentity& identity);

}  // namespace cloister
