#include "crypto/certificate_builder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace cloister {
namespace {

constexpr Oid kEcdsaSha256("1.2.840.10045.4.3.2");
constexpr Oid kCommonName("2.5.4.3");
constexpr Oid kBasicConstraints("2.5.29.19");
constexpr Oid kKeyUsage("2.5.29.15");
constexpr Oid kSubjectAlternativeName("2.5.29.17");
constexpr std::size_t kNamesMax = 16;
constexpr std::size_t kNameBytesMax = 253;

const ByteVector& true_value() {
  static const ByteVector value{std::byte{0xFF}};
  return value;
}

ByteVector name_of(const std::string& common_name) {
  return der_sequence({der_list(
      DerTag::set,
      {der_sequence({der_oid(kCommonName), der_text(DerTag::utf8_string, common_name)})})});
}

ByteVector encode(const CertificateExtension& extension) {
  const ByteVector flag =
      extension.critical ? der_wrap(DerTag::boolean, true_value()) : ByteVector{};
  return der_sequence({der_oid(extension.oid), flag, der_octets(extension.value)});
}

bool is_dns_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_';
         });
}

/// A number of at most `digits_max` digits, and nothing else.
std::optional<unsigned> number_of(std::string_view text, int base, std::size_t digits_max) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  const auto [at, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

/// "a.b.c.d"; empty for anything else.
ByteVector ipv4_of(std::string_view text) {
  ByteVector address;
  while (true) {
    const std::size_t dot = text.find('.');
    const auto part = number_of(text.substr(0, dot), 10, 3);
    if (!part || *part > 255) return {};
    address.push_back(static_cast<std::byte>(*part));
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return address.size() == 4 ? address : ByteVector{};
}

/// The 16-bit groups of one side of "::"; nothing when one is malformed.
std::optional<ByteVector> ipv6_groups(std::string_view text) {
  ByteVector groups;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const auto part = number_of(text.substr(0, colon), 16, 4);
    if (!part || (colon != std::string_view::npos && colon + 1 == text.size())) return {};
    groups.push_back(static_cast<std::byte>(*part >> 8));
    groups.push_back(static_cast<std::byte>(*part));
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  }
  return groups;
}

/// RFC 4291, 2.2, forms 1 and 2; empty for anything else.
ByteVector ipv6_of(std::string_view text) {
  const std::size_t gap = text.find("::");
  const bool has_gap = gap != std::string_view::npos;
  const auto left = ipv6_groups(text.substr(0, gap));
  const auto right = ipv6_groups(has_gap ? text.substr(gap + 2) : std::string_view());
  if (!left || !right) return {};
  const std::size_t stated = left->size() + right->size();
  if (has_gap ? stated > 14 : stated != 16) return {};
  ByteVector address = *left;
  address.resize(16 - right->size());
  address.insert(address.end(), right->begin(), right->end());
  return address;
}

/// GeneralName [7] of an address, [2] of a DNS name; empty for neither (RFC 5280, 4.2.1.6).
ByteVector general_name(std::string_view name) {
  const ByteVector v4 = ipv4_of(name);
  if (!v4.empty()) return der_wrap(context_tag(7, false), v4);
  const ByteVector v6 = name.find(':') == std::string_view::npos ? ByteVector{} : ipv6_of(name);
  if (!v6.empty()) return der_wrap(context_tag(7, false), v6);
  if (!is_dns_name(name)) return {};
  return der_wrap(context_tag(2, false), bytes_of(name));
}

}  // namespace

Result<ByteVector> build_certificate(const CertificateContent& content,
                                     const SigningKey& issuer_key) {
  const ByteVector algorithm = der_sequence({der_oid(kEcdsaSha256)});
  ByteVector extensions;
  for (const CertificateExtension& extension : content.extensions) {
    const ByteVector encoded = encode(extension);
    extensions.insert(extensions.end(), encoded.begin(), encoded.end());
  }
  const ByteVector body = der_sequence(
      {der_wrap(context_tag(0, true), der_small_integer(2)), der_integer(content.serial),
       algorithm, name_of(content.issuer),
       der_sequence({der_of_time(content.not_before), der_of_time(content.not_after)}),
       name_of(content.subject), content.spki,
       der_wrap(context_tag(3, true), der_wrap(DerTag::sequence, extensions))});
  CLOISTER_ASSIGN(const ByteVector signature, issuer_key.sign(body));
  return der_sequence({body, algorithm, der_bit_string(der_ecdsa_signature(signature))});
}

CertificateExtension end_entity_constraint() {
  return {kBasicConstraints, true, der_sequence({})};
}

std::vector<CertificateExtension> authority_constraints() {
  const ByteVector key_usage{std::byte{1}, std::byte{0x06}};  // one unused bit; bits 5 and 6
  return {{kBasicConstraints, true, der_sequence({der_wrap(DerTag::boolean, true_value())})},
          {kKeyUsage, true, der_wrap(DerTag::bit_string, key_usage)}};
}

Result<CertificateExtension> subject_names(const std::vector<std::string>& names) {
  if (names.empty() || names.size() > kNamesMax) return Error{Code::invalid, "x509.names"};
  ByteVector list;
  for (const std::string& name : names) {
    const ByteVector encoded = general_name(name);
    if (encoded.empty()) return Error{Code::invalid, "x509.name"};
    list.insert(list.end(), encoded.begin(), encoded.end());
  }
  return CertificateExtension{kSubjectAlternativeName, false, der_wrap(DerTag::sequence, list)};
}

}  // namespace cloister
