#include "access_tables.h"

namespace cloister {

Result<AccessTables> open_access_tables(Vault& vault, Entropy& entropy, const Clock& clock) {
  AccessTables tables;
  tables.principal_store = std::make_unique<VaultRecord>(vault, "principals");
  tables.grants_store = std::make_unique<VaultRecord>(vault, "grants");
  CLOISTER_ASSIGN(tables.principals, Principals::open(*tables.principal_store, entropy, clock));
  CLOISTER_ASSIGN(tables.grants, Grants::open(*tables.grants_store, clock));
  tables.hpke_store = std::make_unique<VaultRecord>(vault, "hpke-key");
  CLOISTER_ASSIGN(tables.sealed, SealedUploads::open(*tables.hpke_store, clock));
  CLOISTER_ASSIGN(tables.books, Books::open(vault, clock));
  return tables;
}

}  // namespace cloister
