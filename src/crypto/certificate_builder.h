#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/der.h"
#include "crypto/signature.h"

namespace cloister {

/// One extension as it will stand in a certificate: `value` goes into the OCTET STRING.
struct CertificateExtension {
  Oid oid;
  bool critical = false;
  ByteVector value;
};

/// What a certificate shall say. Names are common names alone.
struct CertificateContent {
  std::string issuer;
  std::string subject;
  ByteVector serial;  ///< big-endian, 1 to 20 bytes
  UtcSeconds not_before{};
  UtcSeconds not_after{};
  ByteVector spki;
  std::vector<CertificateExtension> extensions;
};

/// The certificate, signed with ECDSA P-256 by `issuer_key`. Fails: as the key does.
Result<ByteVector> build_certificate(const CertificateContent& content,
                                     const SigningKey& issuer_key);

/// Basic constraints: CA:FALSE, or CA:TRUE with key usage "sign certificates and lists".
CertificateExtension end_entity_constraint();
std::vector<CertificateExtension> authority_constraints();

/// Subject alternative names of DNS names and numeric IPv4 or IPv6 addresses, 1 to 16 of them.
/// Fails: `invalid` for an empty or over-long name, or one with other characters.
Result<CertificateExtension> subject_names(const std::vector<std::string>& names);

}  // namespace cloister
