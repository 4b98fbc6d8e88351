#include "crypto/x509.h"

#include <algorithm>

namespace cloister {
namespace {

constexpr Oid kEcdsaSha256("1.2.840.10045.4.3.2");
constexpr Oid kEcdsaSha384("1.2.840.10045.4.3.3");
constexpr Oid kRsaPss("1.2.840.113549.1.1.10");
constexpr Oid kRsaSha256("1.2.840.113549.1.1.11");
constexpr Oid kRsaSha384("1.2.840.113549.1.1.12");
constexpr Oid kMaskGeneration("1.2.840.113549.1.1.8");
constexpr Oid kSha384("2.16.840.1.101.3.4.2.2");

constexpr Oid kBasicConstraints("2.5.29.19");
constexpr Oid kKeyUsage("2.5.29.15");
constexpr Oid kExtendedKeyUsage("2.5.29.37");
constexpr Oid kSubjectAlternativeName("2.5.29.17");

constexpr std::size_t kCrlEntriesMax = 1 << 17;
constexpr std::size_t kSerialBytesMax = 21;  // 20, and a zero in front (RFC 5280, 4.1.2.2)

Error malformed() { return Error{Code::corrupt, "x509.malformed"}; }

/// The only parameters of RSASSA-PSS that are accepted: SHA-384 for message and mask, salt of 48
/// bytes, the trailer field absent or 1 (RFC 4055, 3.1). AMD writes both forms.
bool is_pss_sha384(Bytes parameters) {
  const ByteVector hash = der_sequence({der_oid(kSha384), der_wrap(DerTag::null, {})});
  const ByteVector mask = der_sequence({der_oid(kMaskGeneration), hash});
  const ByteVector common_part[] = {der_wrap(context_tag(0, true), hash),
                                    der_wrap(context_tag(1, true), mask),
                                    der_wrap(context_tag(2, true), der_small_integer(48))};
  const ByteVector trailer = der_wrap(context_tag(3, true), der_small_integer(1));
  const ByteVector short_form = der_sequence({common_part[0], common_part[1], common_part[2]});
  const ByteVector long_form =
      der_sequence({common_part[0], common_part[1], common_part[2], trailer});
  return std::ranges::equal(parameters, short_form) || std::ranges::equal(parameters, long_form);
}

Result<SignatureScheme> scheme_of(Bytes algorithm) {
  DerReader reader(algorithm);
  CLOISTER_ASSIGN(const Bytes oid, reader.take(DerTag::object_id));
  if (kRsaPss.is(oid) && is_pss_sha384(reader.rest())) return SignatureScheme::rsa_pss_sha384;
  // Some stacks write NULL where RFC 5758 leaves the parameters of ECDSA out.
  const bool no_parameters = reader.empty() || reader.next_is(DerTag::null);
  if (kEcdsaSha256.is(oid) && no_parameters) return SignatureScheme::ecdsa_sha256_der;
  if (kEcdsaSha384.is(oid) && no_parameters) return SignatureScheme::ecdsa_sha384_der;
  if (kRsaSha256.is(oid) && no_parameters) return SignatureScheme::rsa_pkcs1_sha256;
  if (kRsaSha384.is(oid) && no_parameters) return SignatureScheme::rsa_pkcs1_sha384;
  return Error{Code::unsupported, "x509.algorithm"};
}

struct SignedDer {
  SignedPart part;
  Bytes body;       ///< content of the to-be-signed sequence
  Bytes algorithm;  ///< as stated outside of it
};

/// The frame that certificates and lists share (RFC 5280, 4.1.1).
Result<SignedDer> read_signed(Bytes der) {
  DerReader outer(der);
  CLOISTER_ASSIGN(const Bytes all, outer.take(DerTag::sequence));
  CLOISTER_TRY(outer.end());
  DerReader reader(all);
  CLOISTER_ASSIGN(const DerElement body, reader.element(DerTag::sequence));
  CLOISTER_ASSIGN(const Bytes algorithm, reader.take(DerTag::sequence));
  CLOISTER_ASSIGN(const Bytes bits, reader.take(DerTag::bit_string));
  CLOISTER_TRY(reader.end());
  if (bits.empty() || bits[0] != std::byte{0}) return malformed();
  CLOISTER_ASSIGN(const SignatureScheme scheme, scheme_of(algorithm));
  return SignedDer{{body.whole, scheme, bits.subspan(1)}, body.content, algorithm};
}

Status check_same(Bytes inner, Bytes outer) {
  if (!std::ranges::equal(inner, outer)) return malformed();
  return Done{};
}

Result<Bytes> read_serial(DerReader& reader) {
  CLOISTER_ASSIGN(const Bytes serial, reader.take(DerTag::integer));
  if (serial.empty() || serial.size() > kSerialBytesMax) return malformed();
  return serial;
}

Result<UtcSeconds> read_time(DerReader& reader) {
  CLOISTER_ASSIGN(const DerElement time, reader.next());
  return der_time(time);
}

}  // namespace

Result<Certificate> Certificate::parse(Bytes der) {
  if (der.size() > kCertificateBytesMax) return Error{Code::too_large, "x509.certificate"};
  Certificate certificate;
  certificate.der_ = copy_of(der);
  CLOISTER_TRY(certificate.read(certificate.der_));
  return certificate;
}

Status Certificate::read(Bytes der) {
  CLOISTER_ASSIGN(const SignedDer frame, read_signed(der));
  signed_ = frame.part;
  DerReader reader(frame.body);
  CLOISTER_ASSIGN(const Bytes version, reader.take(context_tag(0, true)));
  DerReader version_reader(version);
  CLOISTER_ASSIGN(const Bytes number, version_reader.take(DerTag::integer));
  if (number.size() != 1 || number[0] != std::byte{2}) return malformed();
  CLOISTER_ASSIGN(serial_, read_serial(reader));
  CLOISTER_ASSIGN(const Bytes algorithm, reader.take(DerTag::sequence));
  CLOISTER_TRY(check_same(algorithm, frame.algorithm));
  return read_body(reader.rest());
}

Status Certificate::read_body(Bytes body) {
  DerReader reader(body);
  CLOISTER_ASSIGN(const DerElement issuer, reader.element(DerTag::sequence));
  CLOISTER_ASSIGN(const Bytes validity, reader.take(DerTag::sequence));
  CLOISTER_ASSIGN(const DerElement subject, reader.element(DerTag::sequence));
  CLOISTER_ASSIGN(const DerElement spki, reader.element(DerTag::sequence));
  issuer_ = issuer.whole;
  subject_ = subject.whole;
  spki_ = spki.whole;
  DerReader times(validity);
  CLOISTER_ASSIGN(not_before_, read_time(times));
  CLOISTER_ASSIGN(not_after_, read_time(times));
  CLOISTER_TRY(times.end());
  if (reader.empty()) return Done{};
  CLOISTER_ASSIGN(const Bytes tagged, reader.take(context_tag(3, true)));
  CLOISTER_TRY(reader.end());
  DerReader extensions(tagged);
  CLOISTER_ASSIGN(const Bytes list, extensions.take(DerTag::sequence));
  CLOISTER_TRY(extensions.end());
  return read_extensions(list);
}

Status Certificate::read_extensions(Bytes list) {
  DerReader reader(list);
  while (!reader.empty()) {
    if (extensions_.size() == kCertificateExtensionsMax) {
      return Error{Code::too_large, "x509.extensions"};
    }
    CLOISTER_ASSIGN(const Bytes content, reader.take(DerTag::sequence));
    DerReader parts(content);
    Extension extension;
    CLOISTER_ASSIGN(extension.oid, parts.take(DerTag::object_id));
    bool critical = false;
    if (parts.next_is(DerTag::boolean)) {
      CLOISTER_ASSIGN(const Bytes flag, parts.take(DerTag::boolean));
      if (flag.size() != 1) return malformed();
      critical = flag[0] != std::byte{0};
    }
    CLOISTER_ASSIGN(extension.value, parts.take(DerTag::octet_string));
    CLOISTER_TRY(parts.end());
    if (this->extension(extension.oid).has_value()) return malformed();  // said twice
    CLOISTER_TRY(read_known(extension, critical));
    extensions_.push_back(extension);
  }
  return Done{};
}

Status Certificate::read_known(const Extension& extension, bool critical) {
  DerReader reader(extension.value);
  if (kBasicConstraints.is(extension.oid)) {
    CLOISTER_ASSIGN(const Bytes content, reader.take(DerTag::sequence));
    CLOISTER_TRY(reader.end());
    DerReader parts(content);
    if (parts.next_is(DerTag::boolean)) {
      CLOISTER_ASSIGN(const Bytes flag, parts.take(DerTag::boolean));
      is_ca_ = flag.size() == 1 && flag[0] == std::byte{0xFF};
    }
    if (parts.next_is(DerTag::integer)) {
      CLOISTER_ASSIGN(const Bytes length, parts.take(DerTag::integer));
      CLOISTER_ASSIGN(path_length_, der_unsigned(length));
    }
    return parts.end();
  }
  if (kKeyUsage.is(extension.oid)) {
    CLOISTER_ASSIGN(const Bytes bits, reader.take(DerTag::bit_string));
    if (bits.size() < 2) return malformed();
    may_sign_certificates_ = (bits[1] & std::byte{0x04}) != std::byte{0};
    may_sign_crls_ = (bits[1] & std::byte{0x02}) != std::byte{0};
    return reader.end();
  }
  const bool known =
      kExtendedKeyUsage.is(extension.oid) || kSubjectAlternativeName.is(extension.oid);
  if (critical && !known) has_unknown_critical_ = true;
  return Done{};
}

std::optional<Bytes> Certificate::extension(const Oid& oid) const noexcept {
  return extension(oid.bytes());
}

std::optional<Bytes> Certificate::extension(Bytes encoded_oid) const noexcept {
  for (const Extension& extension : extensions_) {
    if (std::ranges::equal(extension.oid, encoded_oid)) return extension.value;
  }
  return std::nullopt;
}

Status Certificate::check_signature(const PublicKey& issuer) const {
  return issuer.verify(signed_.scheme, signed_.to_be_signed, signed_.signature);
}

Result<Crl> Crl::parse(Bytes der) {
  if (der.size() > kCrlBytesMax) return Error{Code::too_large, "x509.crl"};
  Crl crl;
  crl.der_ = copy_of(der);
  CLOISTER_TRY(crl.read(crl.der_));
  return crl;
}

Status Crl::read(Bytes der) {
  CLOISTER_ASSIGN(const SignedDer frame, read_signed(der));
  signed_ = frame.part;
  DerReader reader(frame.body);
  CLOISTER_ASSIGN(const Bytes version, reader.take(DerTag::integer));
  if (version.size() != 1 || version[0] != std::byte{1}) return malformed();
  CLOISTER_ASSIGN(const Bytes algorithm, reader.take(DerTag::sequence));
  CLOISTER_TRY(check_same(algorithm, frame.algorithm));
  CLOISTER_ASSIGN(const DerElement issuer, reader.element(DerTag::sequence));
  issuer_ = issuer.whole;
  CLOISTER_ASSIGN(this_update_, read_time(reader));
  CLOISTER_ASSIGN(next_update_, read_time(reader));
  if (reader.next_is(DerTag::sequence)) {
    CLOISTER_ASSIGN(const Bytes entries, reader.take(DerTag::sequence));
    CLOISTER_TRY(read_entries(entries));
  }
  if (reader.empty()) return Done{};
  CLOISTER_ASSIGN(const Bytes tagged, reader.take(context_tag(0, true)));
  CLOISTER_TRY(reader.end());
  DerReader tagged_reader(tagged);
  CLOISTER_ASSIGN(const Bytes list, tagged_reader.take(DerTag::sequence));
  DerReader extensions(list);
  while (!extensions.empty()) {
    CLOISTER_ASSIGN(const Bytes content, extensions.take(DerTag::sequence));
    DerReader parts(content);
    CLOISTER_TRY(parts.take(DerTag::object_id));
    // Delta lists and lists of other issuers' entries say so in a critical extension.
    if (parts.next_is(DerTag::boolean)) return Error{Code::unsupported, "x509.crl_extension"};
  }
  return Done{};
}

Status Crl::read_entries(Bytes list) {
  DerReader reader(list);
  while (!reader.empty()) {
    if (serials_.size() == kCrlEntriesMax) return Error{Code::too_large, "x509.crl_entries"};
    CLOISTER_ASSIGN(const Bytes content, reader.take(DerTag::sequence));
    DerReader parts(content);
    CLOISTER_ASSIGN(const Bytes serial, read_serial(parts));
    serials_.push_back(serial);
  }
  return Done{};
}

bool Crl::lists(Bytes serial) const noexcept {
  return std::ranges::any_of(serials_, [serial](Bytes listed) {
    return std::ranges::equal(listed, serial);
  });
}

Status Crl::check_signature(const PublicKey& issuer) const {
  return issuer.verify(signed_.scheme, signed_.to_be_signed, signed_.signature);
}

}  // namespace cloister
