#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/der.h"
#include "crypto/signature.h"

namespace cloister {

inline constexpr std::size_t kCertificateBytesMax = 64 * 1024;
inline constexpr std::size_t kCrlBytesMax = 4 * 1024 * 1024;
inline constexpr std::size_t kCertificateExtensionsMax = 32;

/// What a signed certificate or list says of its signature.
struct SignedPart {
  Bytes to_be_signed;
  SignatureScheme scheme{};
  Bytes signature;
};

/// An X.509 version 3 certificate, parsed and not yet trusted. Owns its bytes. Accepts what AMD
/// issues (serial number 0, no authority key identifier); names are compared byte by byte.
/// Source: RFC 5280, 4.1 and 4.2.
class Certificate {
 public:
  /// `der` is one certificate and nothing after it, at most kCertificateBytesMax.
  /// Fails: `corrupt`, `too_large`, `unsupported` for a signature algorithm that is not ours.
  static Result<Certificate> parse(Bytes der);

  Certificate(Certificate&&) noexcept = default;
  Certificate& operator=(Certificate&&) noexcept = default;

  Bytes der() const noexcept { return der_; }
  Bytes serial() const noexcept { return serial_; }
  Bytes issuer() const noexcept { return issuer_; }
  Bytes subject() const noexcept { return subject_; }
  Bytes spki() const noexcept { return spki_; }
  UtcSeconds not_before() const noexcept { return not_before_; }
  UtcSeconds not_after() const noexcept { return not_after_; }
  bool valid_at(UtcSeconds time) const noexcept {
    return not_before_ <= time && time <= not_after_;
  }
  /// Basic constraints: CA, and how many CAs may follow below this one.
  bool is_ca() const noexcept { return is_ca_; }
  std::optional<std::uint64_t> path_length() const noexcept { return path_length_; }
  /// False when key usage is stated without the signing of certificates (or of lists).
  bool may_sign_certificates() const noexcept { return may_sign_certificates_; }
  bool may_sign_crls() const noexcept { return may_sign_crls_; }
  /// A critical extension that this reader does not know makes a certificate unusable.
  bool has_unknown_critical() const noexcept { return has_unknown_critical_; }
  /// The content of the extension's OCTET STRING; nothing when it is absent.
  std::optional<Bytes> extension(const Oid& oid) const noexcept;
  /// The same for an identifier given as its encoded bytes.
  std::optional<Bytes> extension(Bytes encoded_oid) const noexcept;

  /// Done when the signature holds under `issuer`. Names and constraints are not looked at.
  /// Fails: `unverified`.
  Status check_signature(const PublicKey& issuer) const;

 private:
  struct Extension {
    Bytes oid;
    Bytes value;
  };
  Certificate() = default;
  Status read(Bytes der);
  Status read_body(Bytes body);
  Status read_extensions(Bytes list);
  Status read_known(const Extension& extension, bool critical);

  ByteVector der_;  // the views below point into it; moving it leaves them valid
  SignedPart signed_;
  Bytes serial_, issuer_, subject_, spki_;
  UtcSeconds not_before_{}, not_after_{};
  bool is_ca_ = false, may_sign_certificates_ = true, may_sign_crls_ = true;
  bool has_unknown_critical_ = false;
  std::optional<std::uint64_t> path_length_;
  std::vector<Extension> extensions_;
};

/// A certificate revocation list, parsed and not yet trusted. Owns its bytes.
/// Source: RFC 5280, 5.1.
class Crl {
 public:
  /// `der` is one list and nothing after it, at most kCrlBytesMax. A critical extension (a delta
  /// list, another issuer's entries) is refused. Fails: `corrupt`, `too_large`, `unsupported`.
  static Result<Crl> parse(Bytes der);

  Crl(Crl&&) noexcept = default;
  Crl& operator=(Crl&&) noexcept = default;

  Bytes issuer() const noexcept { return issuer_; }
  UtcSeconds this_update() const noexcept { return this_update_; }
  UtcSeconds next_update() const noexcept { return next_update_; }
  bool valid_at(UtcSeconds time) const noexcept {
    return this_update_ <= time && time <= next_update_;
  }
  /// Whether the serial number (as in Certificate::serial) is on the list.
  bool lists(Bytes serial) const noexcept;
  /// Done when the signature holds under `issuer`. Fails: `unverified`.
  Status check_signature(const PublicKey& issuer) const;

 private:
  Crl() = default;
  Status read(Bytes der);
  Status read_entries(Bytes list);

  ByteVector der_;  // the views below point into it
  SignedPart signed_;
  Bytes issuer_;
  UtcSeconds this_update_{}, next_update_{};
  std::vector<Bytes> serials_;
};

}  // namespace cloister
