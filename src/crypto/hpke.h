#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// An X25519 public key (RFC 7748, 5), as RFC 9180, 7.1.1 serialises it.
using KemPublicKey = std::array<std::byte, 32>;

/// SubjectPublicKeyInfo, DER (RFC 8410, 4).
ByteVector spki_of(const KemPublicKey& key);

/// An X25519 private key. Safe from several threads at once. Implemented by crypto/openssl.
class KemPrivateKey {
 public:
  /// A new key from the library's own generator. Fails: `internal`.
  static Result<KemPrivateKey> generate();
  /// From the 32 bytes that `keep_in` gave. Fails: `invalid` for another length.
  static Result<KemPrivateKey> from_bytes(const SecretBytes& bytes);

  KemPrivateKey(KemPrivateKey&&) noexcept;
  KemPrivateKey& operator=(KemPrivateKey&&) noexcept;
  ~KemPrivateKey();

  const KemPublicKey& public_key() const noexcept;
  /// Hands the key's bytes to `keep`, which seals them, and wipes them. Fails: `internal`, as
  /// `keep` does.
  Status keep_in(const std::function<Status(Bytes)>& keep) const;
  /// The X25519 function (RFC 7748, 6.1), 32 bytes. Fails: `unverified` where it yields zero: a
  /// peer's key of small order (RFC 9180, 7.1.4).
  Result<SecretBytes> agree(const KemPublicKey& peer) const;

 private:
  struct State;
  explicit KemPrivateKey(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// One direction of an HPKE context: mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
/// AES-256-GCM, and no other suite. Messages are numbered: what the sender seals as its third is
/// opened only as the recipient's third. For one thread. Source: RFC 9180, 5.
class HpkeContext {
 public:
  /// Ciphertext and tag, kAeadTagBytes longer than `plaintext`. Fails: `internal`.
  Result<ByteVector> seal(Bytes associated, Bytes plaintext);
  /// What `seal` gave, back into `plaintext`, which is kAeadTagBytes shorter and may begin where
  /// `sealed` does. Fails: `corrupt` for anything else; `plaintext` is wiped then, and the number
  /// stays as it was.
  Status open(Bytes associated, Bytes sealed, MutableBytes plaintext);
  /// A secret that only the two sides know (RFC 9180, 5.3). `length` is 1 to 8160 bytes.
  Result<SecretBytes> export_secret(Bytes context, std::size_t length) const;

 private:
  friend class HpkeSchedule;
  HpkeContext(std::unique_ptr<Aead> cipher, AeadNonce base, SecretBytes exporter) noexcept;
  AeadNonce nonce() const noexcept;

  std::unique_ptr<Aead> cipher_;
  AeadNonce base_nonce_;
  SecretBytes exporter_;
  std::uint64_t number_ = 0;
};

/// What the sender makes: the context to seal in, and what the recipient needs to open it.
struct HpkeSender {
  KemPublicKey encapsulated;
  HpkeContext context;
};

/// SetupBaseS: a context that only the holder of `recipient`'s private key can open, bound to
/// `info`. Fails: `unverified` for a key of small order, `internal`.
Result<HpkeSender> hpke_to(const KemPublicKey& recipient, Bytes info);
/// The same with a given ephemeral key: for known answers, as no key may ever serve twice.
Result<HpkeSender> hpke_to(const KemPublicKey& recipient, Bytes info,
                           const KemPrivateKey& ephemeral);
/// SetupBaseR. Another `info` than the sender's shows at the first `open`.
Result<HpkeContext> hpke_from(const KemPublicKey& encapsulated, const KemPrivateKey& recipient,
                              Bytes info);

}  // namespace cloister
