#pragma once

#include <string>
#include <vector>

#include "access/principals.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "evidence/claims.h"
#include "model/model.h"
#include "serving/models.h"
#include "serving/sealed_keys.h"

namespace cloister {

/// Opens models that their owner sealed to this server. Safe from several threads.
/// Source: docs/sealed-models.md.
class SealedUploads {
 public:
  /// `keys` and `clock` must outlive it.
  SealedUploads(SealedKeys& keys, const Clock& clock) : keys_(keys), clock_(clock) {}

  /// The public keys that files may be sealed to, in base64; the first is the one that the evidence
  /// claims.
  std::vector<std::string> public_keys() const;
  /// SHA-256 of the first key's SPKI DER: what the evidence claims as `hpke-key`.
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
  SealedKeys& keys_;
  const Clock& clock_;
  ServerFacts facts_;
};

}  // namespace cloister
