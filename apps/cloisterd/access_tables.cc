#include "access_tables.h"

#include <chrono>

namespace cloister {

Result<AccessTables> open_access_tables(Vault& vault, Entropy& entropy, const Clock& clock,
                                        const ServerConfig& config) {
  AccessTables tables;
  tables.principal_store = std::make_unique<VaultRecord>(vault, "principals");
  tables.grants_store = std::make_unique<VaultRecord>(vault, "grants");
  CLOISTER_ASSIGN(tables.principals, Principals::open(*tables.principal_store, entropy, clock));
  CLOISTER_ASSIGN(tables.grants, Grants::open(*tables.grants_store, clock));
  tables.quotas_store = std::make_unique<VaultRecord>(vault, "quotas");
  tables.certificates_store = std::make_unique<VaultRecord>(vault, "certificates");
  CLOISTER_ASSIGN(tables.certificates, Certificates::open(*tables.certificates_store, clock));
  tables.hpke_store = std::make_unique<VaultRecord>(vault, "hpke-keys");
  CLOISTER_ASSIGN(tables.sealed_keys,
                  SealedKeys::open(*tables.hpke_store, clock,
                                   {std::chrono::seconds(config.sealed_key_seconds),
                                    std::chrono::seconds(config.sealed_key_kept_seconds)}));
  tables.sealed = std::make_unique<SealedUploads>(*tables.sealed_keys, clock);
  CLOISTER_ASSIGN(tables.books, Books::open(vault, *tables.quotas_store, clock));
  return tables;
}

Status note_in_store(const StorePlace& place, Entropy& entropy, const Clock& clock,
                     AuditAction action, const std::optional<Sha256Digest>& sha256) {
  CLOISTER_ASSIGN(const auto vault, open_vault(vault_parts(place, entropy, clock),
                                               place.root_secret, place.settings, false));
  VaultRecord quotas(*vault, "quotas");
  CLOISTER_ASSIGN(const auto books, Books::open(*vault, quotas, clock));
  return books->note(action, sha256);
}

}  // namespace cloister
