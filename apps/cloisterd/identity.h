#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "config/server_config.h"
#include "crypto/signature.h"
#include "evidence/certificate_keeper.h"
#include "evidence/claims.h"
#include "net/server.h"

namespace cloister {

/// What this server states about itself, but for the keys that its vault keeps: see
/// evidence/claims.h. `sandbox` says how workers are confined.
ServerFacts server_facts(const ServerConfig& config, const Sha256Digest& software,
                         const std::string& sandbox);

/// The key that TLS proves and the evidence covers, and the certificates made for it.
class TlsKey {
 public:
  /// Is shown each certificate of the key when it is made.
  using Shown = std::function<void(const ByteVector& certificate)>;
  /// A new key. Fails: `internal`.
  static Result<TlsKey> make(Shown shown = {});
  const SigningKey& key() const { return key_; }
  /// As `curl --pinnedpubkey` wants it.
  std::string pin() const;
  /// The key with a new certificate of `keeper`'s. Fails: as the platform does.
  Result<TlsIdentity> identity(CertificateKeeper& keeper) const;

 private:
  TlsKey(SigningKey key, Shown shown) : key_(std::move(key)), shown_(std::move(shown)) {}
  SigningKey key_;
  Shown shown_;
};

/// A listener where `config` says, under an identity of `tls` and `keeper`. Fails: `io`.
Result<std::unique_ptr<HttpsServer>> listen(const ServerConfig& config, const TlsKey& tls,
                                            CertificateKeeper& keeper, RequestHandler& handler);

}  // namespace cloister
