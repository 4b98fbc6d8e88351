#include "vault/hand_over.h"

#include "vault/store_file.h"
#include "vault/store_opening.h"

namespace cloister {
namespace {

Status check_policy(const StoreIdentity& identity, const VaultSettings& settings) {
  if (identity.upgrade_policy == Sha256Digest{}) {
    return Error{Code::denied, "vault.hand_over.none",
                 Detail("the store was made without an upgrade policy: its key is never handed "
                        "over")};
  }
  if (identity.upgrade_policy != settings.upgrade_policy) {
    return Error{Code::denied, "vault.hand_over.policy",
                 Detail("the store was made with another upgrade policy than is configured")};
  }
  return Done{};
}

}  // namespace

Result<SecretBytes> export_store(VaultParts parts, const SecretBytes& root_secret,
                                 const VaultSettings& settings) {
  CLOISTER_ASSIGN(const auto aeads, make_aeads(settings.aead, parts.clock));
  CLOISTER_ASSIGN(const StoreIdentity identity, read_identity(parts.files, *aeads, root_secret));
  CLOISTER_TRY(check_policy(identity, settings));
  return encode_identity(identity);
}

Status import_store(VaultParts parts, const SecretBytes& root_secret,
                    const VaultSettings& settings, const SecretBytes& handed_over) {
  CLOISTER_ASSIGN(const StoreIdentity identity, decode_identity(handed_over));
  CLOISTER_TRY(check_policy(identity, settings));
  CLOISTER_ASSIGN(OpenedStore store, lock_store(parts, settings));
  CLOISTER_TRY(check_header(parts.files, identity));
  CLOISTER_ASSIGN(StoreIdentity again, decode_identity(handed_over));
  CLOISTER_TRY(load_store(parts, parts.entropy, settings, std::move(again), store));
  return write_identity(parts.files, parts.entropy, *store.aeads, root_secret, identity);
}

}  // namespace cloister
