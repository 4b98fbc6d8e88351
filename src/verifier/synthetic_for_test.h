#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/byte_writer.h"
#include "crypto/certificate_builder.h"
#include "crypto/x509.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "verifier/anchors.h"
#include "verifier/time_text.h"
#include "verifier/verifier.h"

// Evidence of platforms that nobody published (revoked, outdated, up to date), under roots made
// for one test. Only tests can hand such roots to the verifier.

namespace cloister {

inline std::string pem_for_test(Bytes der) {
  return "-----BEGIN CERTIFICATE-----\n" + base64_encode(der) + "\n-----END CERTIFICATE-----\n";
}

/// A certificate for `subject_key` signed by `issuer_key`, valid for 30 days around `now`.
inline ByteVector certificate_for_test(const std::string& issuer, const SigningKey& issuer_key,
                                       const std::string& subject, const SigningKey& subject_key,
                                       unsigned serial, UtcSeconds now,
                                       std::vector<CertificateExtension> extensions) {
  CertificateContent content;
  content.issuer = issuer;
  content.subject = subject;
  content.serial = {static_cast<std::byte>(serial)};
  content.not_before = now - std::chrono::days(30);
  content.not_after = now + std::chrono::days(30);
  content.spki = subject_key.spki();
  content.extensions = std::move(extensions);
  return build_certificate(content, issuer_key).value();
}

/// A list of `issuer` (a certificate) that revokes `serials`.
inline ByteVector crl_for_test(Bytes issuer, const SigningKey& key, UtcSeconds now,
                               const std::vector<unsigned>& serials) {
  constexpr Oid kEcdsaSha256("1.2.840.10045.4.3.2");
  const ByteVector algorithm = der_sequence({der_oid(kEcdsaSha256)});
  const Certificate certificate = Certificate::parse(issuer).value();
  ByteVector entries;
  for (const unsigned serial : serials) {
    const ByteVector entry = der_sequence({der_small_integer(serial), der_of_time(now)});
    entries.insert(entries.end(), entry.begin(), entry.end());
  }
  const ByteVector list = entries.empty() ? ByteVector{} : der_wrap(DerTag::sequence, entries);
  const ByteVector body = der_sequence(
      {der_small_integer(1), algorithm, copy_of(certificate.subject()),
       der_of_time(now - std::chrono::days(1)), der_of_time(now + std::chrono::days(1)), list});
  return der_sequence({body, algorithm,
                       der_bit_string(der_ecdsa_signature(key.sign(body).value()))});
}

/// One Intel platform with everything about it. Change members, then ask for quote and collateral.
struct SyntheticIntel {
  SigningKey root = SigningKey::generate_p256().value();
  SigningKey authority = SigningKey::generate_p256().value();
  SigningKey pck = SigningKey::generate_p256().value();
  SigningKey signer = SigningKey::generate_p256().value();
  SigningKey attestation = SigningKey::generate_p256().value();
  UtcSeconds now = time_of("2026-06-15T12:00:00Z").value();

  unsigned version = 3;
  bool is_tdx = false;
  bool is_td_1_5 = false;
  bool debug = false, qe_debug = false;
  std::uint8_t components = 5;     ///< the platform's, all 16 alike
  std::uint16_t qe_isvsvn = 8;
  std::array<std::uint8_t, 3> tee_tcb_svn{4, 1, 2}, tee_tcb_svn_2{4, 1, 2};
  std::string first_status = "UpToDate";
  std::vector<unsigned> revoked_by_root, revoked_by_authority;
  bool is_pck_of_root = false;       ///< signed by the root itself
  bool is_signer_of_authority = false;  ///< of the documents: below another authority
  /// What is changed before it is signed.
  std::function<void(ByteVector&)> edit_body, edit_qe_report, edit_pck_extension;
  std::pair<std::string, std::string> edit_tcb, edit_qe;  ///< the first by the second, once

  static constexpr unsigned kAuthoritySerial = 2, kPckSerial = 3, kSignerSerial = 4;

  TrustAnchors anchors() const {
    TrustAnchors own;
    own.intel = {sha256(root.spki())};
    return own;
  }
  ByteVector root_certificate() const {
    return certificate_for_test("Root", root, "Root", root, 1, now, authority_constraints());
  }
  ByteVector authority_certificate() const {
    return certificate_for_test("Root", root, "CA", authority, kAuthoritySerial, now,
                                authority_constraints());
  }
  ByteVector pck_extension() const;
  std::string pck_chain() const;
  ByteVector quote() const;
  Endorsements endorsements() const;

 private:
  ByteVector body() const;
  ByteVector qe_report(Bytes authentication) const;
  ByteVector signed_document(const std::string& member, const std::string& content) const;
  std::string tcb_level(unsigned svn, const std::string& status) const;
  Bytes attestation_point() const { return Bytes(attestation.spki()).last(64); }
};

}  // namespace cloister
