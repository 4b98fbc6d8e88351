#include "verifier/intel/quote.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "encoding/hex.h"
#include "evidence/envelope.h"

namespace cloister {
namespace {

constexpr std::size_t kHeaderBytes = 48;
constexpr std::size_t kSgxBodyBytes = 384;
constexpr std::size_t kTd10BodyBytes = 584;
constexpr std::size_t kTd15BodyBytes = 648;
constexpr std::uint16_t kEcdsaP256 = 2;
constexpr std::uint16_t kQeReportCertification = 6;
constexpr std::string_view kIntelQe = "939a7233f79c4ca9940a0db3957f0607";

enum class BodyType : std::uint16_t { sgx = 1, td_1_0 = 2, td_1_5 = 3 };

Error unsupported() { return Error{Code::unsupported, "quote.unsupported"}; }

Result<SgxReport> read_sgx_report(Bytes body) {
  ByteReader reader(body);
  SgxReport report;
  report.whole = body;
  CLOISTER_TRY(reader.skip(16));  // CPUSVN: the PCK's components count instead
  CLOISTER_ASSIGN(report.miscselect, reader.take(4));
  CLOISTER_TRY(reader.skip(28));
  CLOISTER_ASSIGN(report.attributes, reader.take(16));
  CLOISTER_ASSIGN(report.mrenclave, reader.take(32));
  CLOISTER_TRY(reader.skip(32));
  CLOISTER_ASSIGN(report.mrsigner, reader.take(32));
  CLOISTER_TRY(reader.skip(96));
  CLOISTER_ASSIGN(report.isvprodid, reader.u16_le());
  CLOISTER_ASSIGN(report.isvsvn, reader.u16_le());
  CLOISTER_TRY(reader.skip(60));
  CLOISTER_ASSIGN(report.report_data, reader.take(kReportDataBytes));
  return report;
}

Result<TdReport> read_td_report(Bytes body) {
  ByteReader reader(body);
  TdReport report;
  CLOISTER_ASSIGN(report.tee_tcb_svn, reader.take(16));
  CLOISTER_ASSIGN(report.mrseam, reader.take(48));
  CLOISTER_ASSIGN(report.mrsignerseam, reader.take(48));
  CLOISTER_ASSIGN(report.seamattributes, reader.take(8));
  CLOISTER_ASSIGN(report.tdattributes, reader.take(8));
  CLOISTER_ASSIGN(report.xfam, reader.take(8));
  CLOISTER_ASSIGN(report.mrtd, reader.take(48));
  CLOISTER_ASSIGN(report.mrconfigid, reader.take(48));
  CLOISTER_ASSIGN(report.mrowner, reader.take(48));
  CLOISTER_ASSIGN(report.mrownerconfig, reader.take(48));
  for (Bytes& rtmr : report.rtmr) {
    CLOISTER_ASSIGN(rtmr, reader.take(48));
  }
  CLOISTER_ASSIGN(report.report_data, reader.take(kReportDataBytes));
  if (reader.empty()) return report;
  CLOISTER_ASSIGN(report.tee_tcb_svn_2, reader.take(16));
  CLOISTER_ASSIGN(report.mrservicetd, reader.take(48));
  return report;
}

/// The body's size: fixed by the TEE before version 5, stated by the quote since.
Result<std::size_t> read_body_size(ByteReader& reader, const Quote& quote) {
  const bool is_sgx = quote.kind == EvidenceKind::sgx;
  if (quote.version < 5) return is_sgx ? kSgxBodyBytes : kTd10BodyBytes;
  CLOISTER_ASSIGN(const std::uint16_t type, reader.u16_le());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  std::size_t expected = 0;
  switch (static_cast<BodyType>(type)) {
    case BodyType::sgx: expected = is_sgx ? kSgxBodyBytes : 0; break;
    case BodyType::td_1_0: expected = is_sgx ? 0 : kTd10BodyBytes; break;
    case BodyType::td_1_5: expected = is_sgx ? 0 : kTd15BodyBytes; break;
  }
  if (expected == 0) return unsupported();
  if (size != expected) return Error{Code::corrupt, "quote.body_size"};
  return expected;
}

Status read_header(ByteReader& reader, Quote& quote, Bytes bytes) {
  CLOISTER_ASSIGN(quote.version, reader.u16_le());
  CLOISTER_ASSIGN(const std::uint16_t key_type, reader.u16_le());
  CLOISTER_TRY(reader.skip(8));  // TEE type, and two versions that version 4 made reserved
  CLOISTER_ASSIGN(const Bytes vendor, reader.take(16));
  CLOISTER_TRY(reader.skip(20));
  if (quote.version < 3 || quote.version > 5 || key_type != kEcdsaP256 ||
      hex_encode(vendor) != kIntelQe) {
    return unsupported();
  }
  CLOISTER_ASSIGN(quote.kind, quote_kind(bytes));
  if (quote.version == 3 && quote.kind != EvidenceKind::sgx) return unsupported();
  return Done{};
}

/// QE report and what follows it, up to the end of `reader`.
Status read_qe(ByteReader& reader, Quote& quote) {
  CLOISTER_ASSIGN(const Bytes report, reader.take(kSgxBodyBytes));
  CLOISTER_ASSIGN(quote.qe_report, read_sgx_report(report));
  CLOISTER_ASSIGN(quote.qe_signature, reader.take(64));
  CLOISTER_ASSIGN(const std::uint16_t authentication_size, reader.u16_le());
  CLOISTER_ASSIGN(quote.qe_authentication, reader.take(authentication_size));
  CLOISTER_ASSIGN(quote.certification, reader.u16_le());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  CLOISTER_ASSIGN(quote.certification_bytes, reader.take(size));
  if (!reader.empty()) return Error{Code::corrupt, "quote.authentication"};
  if (quote.certification < 1 || quote.certification > 5) return unsupported();
  return Done{};
}

}  // namespace

Result<Quote> read_quote(Bytes bytes) {
  ByteReader reader(bytes);
  Quote quote;
  CLOISTER_TRY(read_header(reader, quote, bytes));
  CLOISTER_ASSIGN(const std::size_t body_size, read_body_size(reader, quote));
  CLOISTER_ASSIGN(const Bytes body, reader.take(body_size));
  if (quote.kind == EvidenceKind::sgx) {
    CLOISTER_ASSIGN(quote.enclave, read_sgx_report(body));
  } else {
    CLOISTER_ASSIGN(quote.td, read_td_report(body));
  }
  const std::size_t extra = quote.version == 5 ? 6 : 0;
  quote.signed_bytes = bytes.first(kHeaderBytes + extra + body_size);
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  CLOISTER_ASSIGN(const Bytes authentication, reader.take(size));
  ByteReader parts(authentication);
  CLOISTER_ASSIGN(quote.signature, parts.take(64));
  CLOISTER_ASSIGN(quote.attestation_key, parts.take(64));
  if (quote.version == 3) {
    CLOISTER_TRY(read_qe(parts, quote));
    return quote;
  }
  CLOISTER_ASSIGN(const std::uint16_t type, parts.u16_le());
  if (type != kQeReportCertification) return unsupported();
  CLOISTER_ASSIGN(const std::uint32_t qe_size, parts.u32_le());
  if (qe_size != parts.remaining()) return Error{Code::corrupt, "quote.qe_size"};
  CLOISTER_TRY(read_qe(parts, quote));
  return quote;
}

}  // namespace cloister
