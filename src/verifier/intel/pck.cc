#include "verifier/intel/pck.h"

#include <map>

namespace cloister {
namespace {

constexpr unsigned kPpid = 1;
constexpr unsigned kTcb = 2;
constexpr unsigned kPceId = 3;
constexpr unsigned kFmspc = 4;
constexpr unsigned kPceSvn = 17;

Error malformed() { return Error{Code::corrupt, "pck.extension"}; }

/// A sequence of (identifier, value) pairs whose identifiers are `prefix` and one more arc.
Result<std::map<unsigned, DerElement>> read_fields(Bytes list, Bytes prefix) {
  std::map<unsigned, DerElement> fields;
  DerReader reader(list);
  while (!reader.empty()) {
    CLOISTER_ASSIGN(const Bytes pair, reader.take(DerTag::sequence));
    DerReader parts(pair);
    CLOISTER_ASSIGN(const Bytes oid, parts.take(DerTag::object_id));
    CLOISTER_ASSIGN(const DerElement value, parts.next());
    CLOISTER_TRY(parts.end());
    const bool is_ours = oid.size() == prefix.size() + 1 &&
                         std::equal(prefix.begin(), prefix.end(), oid.begin());
    if (!is_ours) return malformed();
    const auto arc = std::to_integer<unsigned>(oid.back());
    if (!fields.emplace(arc, value).second) return malformed();
  }
  return fields;
}

Result<Bytes> octets(const std::map<unsigned, DerElement>& fields, unsigned arc,
                     std::size_t size) {
  const auto field = fields.find(arc);
  if (field == fields.end() || field->second.tag != DerTag::octet_string ||
      field->second.content.size() != size) {
    return malformed();
  }
  return field->second.content;
}

Result<std::uint64_t> number(const std::map<unsigned, DerElement>& fields, unsigned arc,
                             std::uint64_t maximum) {
  const auto field = fields.find(arc);
  if (field == fields.end() || field->second.tag != DerTag::integer) return malformed();
  CLOISTER_ASSIGN(const std::uint64_t value, der_unsigned(field->second.content));
  if (value > maximum) return malformed();
  return value;
}

}  // namespace

Result<PckExtension> read_pck_extension(const Certificate& certificate) {
  const auto extension = certificate.extension(kPckExtension);
  if (!extension) return malformed();
  DerReader outer(*extension);
  CLOISTER_ASSIGN(const Bytes list, outer.take(DerTag::sequence));
  CLOISTER_TRY(outer.end());
  CLOISTER_ASSIGN(const auto fields, read_fields(list, kPckExtension.bytes()));
  PckExtension pck;
  CLOISTER_ASSIGN(pck.ppid, octets(fields, kPpid, 16));
  CLOISTER_ASSIGN(pck.pceid, octets(fields, kPceId, 2));
  CLOISTER_ASSIGN(pck.fmspc, octets(fields, kFmspc, 6));
  const auto tcb = fields.find(kTcb);
  if (tcb == fields.end() || tcb->second.tag != DerTag::sequence) return malformed();
  ByteVector prefix = copy_of(kPckExtension.bytes());
  prefix.push_back(static_cast<std::byte>(kTcb));
  CLOISTER_ASSIGN(const auto components, read_fields(tcb->second.content, prefix));
  for (unsigned i = 0; i < pck.components.size(); ++i) {
    CLOISTER_ASSIGN(const std::uint64_t svn, number(components, i + 1, 0xFF));
    pck.components[i] = static_cast<std::uint8_t>(svn);
  }
  CLOISTER_ASSIGN(const std::uint64_t pcesvn, number(components, kPceSvn, 0xFFFF));
  pck.pcesvn = static_cast<std::uint16_t>(pcesvn);
  return pck;
}

}  // namespace cloister
