#pragma once

#include <memory>
#include <string>

#include "access/certificates.h"
#include "access/grants.h"
#include "access/principals.h"
#include "books.h"
#include "config/server_config.h"
#include "serving/sealed_uploads.h"
#include "store_choice.h"
#include "vault/vault.h"

namespace cloister {

/// Keeps a small table in the sealed catalogue.
class VaultRecord final : public RecordStore {
 public:
  VaultRecord(Vault& vault, std::string name) : vault_(vault), name_(std::move(name)) {}
  Status load(const std::function<Status(Bytes)>& use) const override {
    return vault_.with_record(name_, use);
  }
  Status save(Bytes content) override { return vault_.put_record(name_, content); }

 private:
  Vault& vault_;
  std::string name_;
};

/// Who exists, who may do what, who used what, and the keys for sealed models, as the vault keeps
/// them.
struct AccessTables {
  std::unique_ptr<VaultRecord> principal_store, grants_store, quotas_store,
      certificates_store, hpke_store;
  std::unique_ptr<Principals> principals;
  std::unique_ptr<Grants> grants;
  std::unique_ptr<Certificates> certificates;
  std::unique_ptr<Books> books;
  std::unique_ptr<SealedKeys> sealed_keys;
  std::unique_ptr<SealedUploads> sealed;
};

/// All arguments must outlive what is returned. Fails: `corrupt`, `io`.
Result<AccessTables> open_access_tables(Vault& vault, Entropy& entropy, const Clock& clock,
                                        const ServerConfig& config);

/// Puts one event on the server into the trail of a store that no server has open. The catalogue
/// and its anchor stay as they are, so that a copy of the store made before is none that was rolled
/// back. Fails: `conflict` where a server has it open; else as opening it does, as the trail does.
Status note_in_store(const StorePlace& place, Entropy& entropy, const Clock& clock,
                     AuditAction action, const std::optional<Sha256Digest>& sha256);

}  // namespace cloister
