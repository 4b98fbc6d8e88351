#pragma once

#include <memory>

#include "access/principals.h"
#include "access/record_store.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/hpke.h"
#include "evidence/claims.h"
#include "model/model.h"
#include "serving/models.h"

namespace cloister {

/// Opens models that their owner sealed to this server. The key is kept sealed in the store, so
/// that what was sealed to it can be opened after a restart. Safe from several threads.
/// Source: docs/sealed-models.md.
class SealedUploads {
 public:
  /// Takes the key that `store` keeps, or makes one and keeps it there. `clock` must outlive it.
  /// Fails: `corrupt`, `io`.
  static Result<std::unique_ptr<SealedUploads>> open(RecordStore& store, const Clock& clock);

  const KemPublicKey& public_key() const noexcept { return key_.public_key(); }
  /// SHA-256 of the key's SPKI DER: what the evidence claims as `hpke-key`.
  Sha256Digest key_digest() const;
  /// What the server states about itself, which the files' policies are held against. Before any
  /// use.
  void use_facts(const ServerFacts& facts) { facts_ = facts; }

  /// Whether `body` begins as a sealed model does.
  static bool is_sealed(Bytes body) noexcept;
  /// Opens `model` in place: its size and its expected digest are the model file's then. It must
  /// name `caller` as owner, and `ref`. Fails: `invalid` where the received bytes do not have the
  /// digest that the sender claims; `denied` (another owner, model or version, expired, a policy
  /// that this server does not meet); `corrupt` never: `refused` for what does not open.
  Status open_upload(const Caller& caller, const VersionRef& ref, ReceivedModel& model) const;

 private:
  SealedUploads(KemPrivateKey key, const Clock& clock) : key_(std::move(key)), clock_(clock) {}

  KemPrivateKey key_;
  const Clock& clock_;
  ServerFacts facts_;
};

}  // namespace cloister
