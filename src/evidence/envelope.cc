#include "evidence/envelope.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/byte_reader.h"
#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::string_view kSimulatedMagic = "cloister-insecure-simulation-1";
constexpr std::uint32_t kSgxTeeType = 0;
constexpr std::uint32_t kTdxTeeType = 0x81;
constexpr std::size_t kMeasurementBytes = 32;

constexpr std::array<std::pair<EvidenceKind, std::string_view>, 5> kMediaTypes{{
    {EvidenceKind::simulated, "application/vnd.cloister.insecure-simulation+cbor"},
    {EvidenceKind::snp, "application/vnd.cloister.snp-evidence+cbor"},
    {EvidenceKind::tpm, "application/vnd.cloister.tpm-evidence+cbor"},
    {EvidenceKind::azure_snp, "application/vnd.cloister.azure-snp-evidence+cbor"},
    {EvidenceKind::azure_tdx, "application/vnd.cloister.azure-tdx-evidence+cbor"},
}};

Error malformed() { return Error{Code::corrupt, "envelope.malformed"}; }

/// The byte strings of an array that holds nothing else.
Result<std::vector<ByteVector>> byte_strings(const CborValue& array, std::size_t count) {
  if (!array.is_array() || array.items().size() != count) return malformed();
  std::vector<ByteVector> out;
  for (const CborValue& item : array.items()) {
    const auto bytes = item.bytes();
    if (!bytes || bytes->size() > kEvidenceBytesMax) return malformed();
    out.push_back(copy_of(*bytes));
  }
  return out;
}

}  // namespace

Result<EvidenceKind> quote_kind(Bytes quote) {
  ByteReader reader(quote);
  CLOISTER_TRY(reader.skip(4));
  CLOISTER_ASSIGN(const std::uint32_t tee_type, reader.u32_le());
  if (tee_type == kSgxTeeType) return EvidenceKind::sgx;
  if (tee_type == kTdxTeeType) return EvidenceKind::tdx;
  return Error{Code::unsupported, "envelope.tee_type"};
}

ByteVector write_envelope(const EvidenceEnvelope& envelope) {
  const CborValue evidence = CborValue::of_bytes(envelope.evidence);
  const CborValue claims = CborValue::of_bytes(envelope.claims);
  if (envelope.kind == EvidenceKind::sgx || envelope.kind == EvidenceKind::tdx) {
    return encode_cbor(CborValue::of_tag(kQuoteTag, CborValue::of_array({evidence, claims})));
  }
  const auto media_type = std::ranges::find(kMediaTypes, envelope.kind,
                                            [](const auto& entry) { return entry.first; });
  const ByteVector content = encode_cbor(
      CborValue::of_array({evidence, claims, CborValue::of_bytes(envelope.endorsements)}));
  return encode_cbor(CborValue::of_array(
      {CborValue::of_text(media_type->second), CborValue::of_bytes(content)}));
}

Result<EvidenceEnvelope> read_envelope(Bytes encoded) {
  CLOISTER_ASSIGN(const CborValue outer, decode_cbor(encoded, CborOrder::any));
  if (const CborTagged* tagged = outer.tagged(); tagged != nullptr) {
    if (tagged->tag != kQuoteTag) return Error{Code::unsupported, "envelope.tag"};
    CLOISTER_ASSIGN(std::vector<ByteVector> parts, byte_strings(tagged->value, 2));
    CLOISTER_ASSIGN(const EvidenceKind kind, quote_kind(parts[0]));
    return EvidenceEnvelope{kind, std::move(parts[0]), std::move(parts[1]), {}};
  }
  if (!outer.is_array() || outer.items().size() != 2) return malformed();
  const auto media_type = outer.items()[0].text();
  const auto content = outer.items()[1].bytes();
  if (!media_type || !content) return malformed();
  const auto known = std::ranges::find(kMediaTypes, *media_type,
                                       [](const auto& entry) { return entry.second; });
  if (known == kMediaTypes.end()) return Error{Code::unsupported, "envelope.media_type"};
  CLOISTER_ASSIGN(const CborValue inner, decode_cbor(*content, CborOrder::any));
  CLOISTER_ASSIGN(std::vector<ByteVector> parts, byte_strings(inner, 3));
  return EvidenceEnvelope{known->first, std::move(parts[0]), std::move(parts[1]),
                          std::move(parts[2])};
}

ByteVector write_evidence_files(const std::map<std::string, ByteVector>& files) {
  std::vector<CborEntry> map;
  for (const auto& [name, content] : files) {
    map.push_back({CborValue::of_text(name), CborValue::of_bytes(content)});
  }
  return encode_cbor(CborValue::of_map(std::move(map)));
}

ByteVector simulated_message(const SimulatedEvidence& evidence) {
  return encode_cbor(CborValue::of_array(
      {CborValue::of_text(kSimulatedMagic), CborValue::of_bytes(evidence.report_data),
       CborValue::of_bytes(evidence.measurement), CborValue::of_bytes(evidence.spki)}));
}

ByteVector write_simulated(const SimulatedEvidence& evidence) {
  return encode_cbor(CborValue::of_array({CborValue::of_bytes(simulated_message(evidence)),
                                          CborValue::of_bytes(evidence.signature)}));
}

Result<SimulatedEvidence> read_simulated(Bytes encoded) {
  CLOISTER_ASSIGN(const CborValue outer, decode_cbor(encoded, CborOrder::sorted));
  CLOISTER_ASSIGN(const std::vector<ByteVector> parts, byte_strings(outer, 2));
  CLOISTER_ASSIGN(const CborValue message, decode_cbor(parts[0], CborOrder::sorted));
  if (message.items().size() != 4 || message.items()[0].text() != kSimulatedMagic) {
    return malformed();
  }
  SimulatedEvidence evidence;
  const auto report_data = message.items()[1].bytes();
  const auto measurement = message.items()[2].bytes();
  const auto spki = message.items()[3].bytes();
  if (!report_data || report_data->size() != kReportDataBytes || !measurement ||
      measurement->size() != kMeasurementBytes || !spki) {
    return malformed();
  }
  std::ranges::copy(*report_data, evidence.report_data.begin());
  evidence.measurement = copy_of(*measurement);
  evidence.spki = copy_of(*spki);
  evidence.signature = parts[1];
  return evidence;
}

}  // namespace cloister
