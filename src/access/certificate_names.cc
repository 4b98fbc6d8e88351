#include "access/certificate_names.h"

#include <optional>

namespace cloister {
namespace {

constexpr Oid kSubjectAlternativeName("2.5.29.17");
constexpr Oid kExtendedKeyUsage("2.5.29.37");
constexpr Oid kAnyUsage("2.5.29.37.0");
constexpr Oid kClientUsage("1.3.6.1.5.5.7.3.2");
constexpr Oid kCommonName("2.5.4.3");
constexpr DerTag kPrintable = static_cast<DerTag>(0x13);
constexpr DerTag kMail = context_tag(1, false);
constexpr DerTag kDns = context_tag(2, false);
constexpr DerTag kUri = context_tag(6, false);
constexpr std::size_t kNameBytesMax = 255;

void add_name(std::vector<std::string>& names, Bytes text) {
  const std::string_view name = text_of(text);
  if (name.empty() || name.size() > kNameBytesMax || name.find('\0') != name.npos) return;
  names.emplace_back(name);
}

Status read_alternative_names(Bytes extension, std::vector<std::string>& names) {
  DerReader whole(extension);
  CLOISTER_ASSIGN(const Bytes list, whole.take(DerTag::sequence));
  CLOISTER_TRY(whole.end());
  DerReader reader(list);
  while (!reader.empty()) {
    CLOISTER_ASSIGN(const DerElement each, reader.next());
    if (each.tag == kDns || each.tag == kMail || each.tag == kUri) add_name(names, each.content);
  }
  return Done{};
}

Status read_common_name(Bytes subject, std::vector<std::string>& names) {
  DerReader whole(subject);
  CLOISTER_ASSIGN(const Bytes list, whole.take(DerTag::sequence));
  CLOISTER_TRY(whole.end());
  DerReader sets(list);
  while (!sets.empty()) {
    CLOISTER_ASSIGN(const Bytes set, sets.take(DerTag::set));
    DerReader attributes(set);
    while (!attributes.empty()) {
      CLOISTER_ASSIGN(const Bytes attribute, attributes.take(DerTag::sequence));
      DerReader parts(attribute);
      CLOISTER_ASSIGN(const Bytes type, parts.take(DerTag::object_id));
      CLOISTER_ASSIGN(const DerElement value, parts.next());
      const bool is_text = value.tag == DerTag::utf8_string || value.tag == kPrintable ||
                           value.tag == DerTag::ia5_string;
      if (kCommonName.is(type) && is_text) add_name(names, value.content);
    }
  }
  if (names.size() > 1) names.clear();
  return Done{};
}

}  // namespace

Result<std::vector<std::string>> names_in(const Certificate& certificate) {
  std::vector<std::string> names;
  if (const auto alternative = certificate.extension(kSubjectAlternativeName)) {
    CLOISTER_TRY(read_alternative_names(*alternative, names));
  } else {
    CLOISTER_TRY(read_common_name(certificate.subject(), names));
  }
  if (names.size() > kCertificateNamesMax) names.clear();
  return names;
}

Result<bool> may_be_a_client(const Certificate& certificate) {
  const auto usage = certificate.extension(kExtendedKeyUsage);
  if (!usage) return true;
  DerReader whole(*usage);
  CLOISTER_ASSIGN(const Bytes list, whole.take(DerTag::sequence));
  CLOISTER_TRY(whole.end());
  bool may = false;
  DerReader reader(list);
  while (!reader.empty()) {
    CLOISTER_ASSIGN(const Bytes purpose, reader.take(DerTag::object_id));
    may = may || kClientUsage.is(purpose) || kAnyUsage.is(purpose);
  }
  return may;
}

}  // namespace cloister
