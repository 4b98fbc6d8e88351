#include "verifier/intel/quote.h"

#include "encoding/hex.h"
#include "evidence/envelope.h"
#include "verifier/fields.h"

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
  // CPUSVN is passed over: the PCK's components count instead.
  CLOISTER_TRY(take_fields(reader, {{nullptr, 16},
                                    {&report.miscselect, 4},
                                    {nullptr, 28},
                                    {&report.attributes, 16},
                                    {&report.mrenclave, 32},
                                    {nullptr, 32},
                                    {&report.mrsigner, 32},
                                    {nullptr, 96}}));
  CLOISTER_ASSIGN(report.isvprodid, reader.u16_le());
  CLOISTER_ASSIGN(report.isvsvn, reader.u16_le());
  CLOISTER_TRY(take_fields(reader, {{nullptr, 60}, {&report.report_data, kReportDataBytes}}));
  return report;
}

Result<TdReport> read_td_report(Bytes body) {
  ByteReader reader(body);
  TdReport report;
  CLOISTER_TRY(take_fields(reader, {{&report.tee_tcb_svn, 16},
                                    {&report.mrseam, 48},
                                    {&report.mrsignerseam, 48},
                                    {&report.seamattributes, 8},
                                    {&report.tdattributes, 8},
                                    {&report.xfam, 8},
                                    {&report.mrtd, 48},
                                    {&report.mrconfigid, 48},
                                    {&report.mrowner, 48},
                                    {&report.mrownerconfig, 48},
                                    {&report.rtmr[0], 48},
                                    {&report.rtmr[1], 48},
                                    {&report.rtmr[2], 48},
                                    {&report.rtmr[3], 48},
                                    {&report.report_data, kReportDataBytes}}));
  if (reader.empty()) return report;
  CLOISTER_TRY(take_fields(reader, {{&report.tee_tcb_svn_2.emplace(), 16},
                                    {&report.mrservicetd.emplace(), 48}}));
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
  Bytes vendor;  // behind the TEE type, and two versions that version 4 made reserved
  CLOISTER_TRY(take_fields(reader, {{nullptr, 8}, {&vendor, 16}, {nullptr, 20}}));
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
  Bytes report;
  CLOISTER_TRY(take_fields(reader, {{&report, kSgxBodyBytes}, {&quote.qe_signature, 64}}));
  CLOISTER_ASSIGN(quote.qe_report, read_sgx_report(report));
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
  CLOISTER_TRY(take_fields(parts, {{&quote.signature, 64}, {&quote.attestation_key, 64}}));
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
