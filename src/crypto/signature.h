#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// An ECDSA P-256 private key of ours (TLS, receipts, simulated evidence). Safe from several
/// threads at once. Implemented by crypto/openssl.
class SigningKey {
 public:
  /// A new key from the library's own generator. Fails: `internal`.
  static Result<SigningKey> generate_p256();
  /// The key in a PKCS #8 DER. Fails: `invalid` for anything but one P-256 key.
  static Result<SigningKey> from_pkcs8(const SecretBytes& der);

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  /// ECDSA over SHA-256 of `message`: r || s, 32 bytes each, big-endian. Fails: `internal`.
  Result<ByteVector> sign(Bytes message) const;
  /// SubjectPublicKeyInfo, DER (RFC 5280, 4.1.2.7).
  const ByteVector& spki() const noexcept;
  /// PKCS #8 DER, for the TLS library. Fails: `internal`.
  Result<SecretBytes> pkcs8() const;

 private:
  struct State;
  explicit SigningKey(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// Which signature a verification expects; nothing is guessed from the key or the signature.
enum class SignatureScheme {
  ecdsa_p256_sha256_raw,   ///< r || s, 32 bytes each, big-endian (Intel DCAP, JWS)
  ecdsa_p384_sha384_raw,   ///< r || s, 48 bytes each, big-endian (AMD, after its byte order)
  ecdsa_sha256_der,        ///< Ecdsa-Sig-Value under a P-256 or P-384 key (certificates)
  ecdsa_sha384_der,        ///< the same with SHA-384
  rsa_pkcs1_sha256,        ///< RSASSA-PKCS1-v1_5 (TPM attestation keys, certificates)
  rsa_pkcs1_sha384,        ///< the same with SHA-384 (certificates)
  rsa_pss_sha384,          ///< RSASSA-PSS, salt of 48 bytes (AMD certificates)
  rsa_pss_sha256,          ///< RSASSA-PSS, salt of any length (TPM)
};

/// A public key that signatures are checked against. Safe from several threads at once.
class PublicKey {
 public:
  /// From SubjectPublicKeyInfo DER of at most 2 KiB: P-256, P-384, or RSA of 2048 to 4096 bits.
  /// Fails: `corrupt` when malformed, `unsupported` for another algorithm, curve or size.
  static Result<PublicKey> from_spki(Bytes der);
  /// A P-256 point as x || y, 64 bytes big-endian. Fails: `corrupt` when it is not on the curve.
  static Result<PublicKey> from_p256_point(Bytes point);
  /// An RSA key from its modulus (256 to 512 bytes, big-endian) and public exponent.
  static Result<PublicKey> from_rsa(Bytes modulus, std::uint32_t exponent);

  PublicKey(PublicKey&&) noexcept;
  PublicKey& operator=(PublicKey&&) noexcept;
  ~PublicKey();

  /// Done when `signature` holds over `message`. Fails: `unverified` for everything else, a key of
  /// another type and a signature of another length included.
  Status verify(SignatureScheme scheme, Bytes message, Bytes signature) const;
  /// The key again as SubjectPublicKeyInfo DER, in the library's own encoding.
  const ByteVector& spki() const noexcept;

 private:
  struct State;
  explicit PublicKey(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace cloister
