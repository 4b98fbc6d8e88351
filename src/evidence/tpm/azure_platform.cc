#include "evidence/tpm/azure_platform.h"

#include <utility>

#include "base/byte_reader.h"
#include "evidence/envelope.h"
#include "evidence/tpm/tpm.h"

namespace cloister {
namespace {

constexpr std::uint32_t kReportIndex = 0x01400001;
constexpr std::uint32_t kAttestationKey = 0x81000003;
constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kHardwareReportBytes = 1184;
constexpr std::size_t kTdReportBytes = 1024;
constexpr std::uint32_t kSnpReport = 2;
constexpr std::uint32_t kTdxReport = 4;

/// Which hardware's report the paravisor's holds, behind the hardware's report and two numbers.
Result<EvidenceKind> kind_of(Bytes report) {
  ByteReader reader(report);
  CLOISTER_TRY(reader.skip(kHeaderBytes + kHardwareReportBytes + 8));
  CLOISTER_ASSIGN(const std::uint32_t type, reader.u32_le());
  if (type == kSnpReport) return EvidenceKind::azure_snp;
  if (type == kTdxReport) return EvidenceKind::azure_tdx;
  return Error{Code::unavailable, "azure.report_type"};
}

class AzurePlatform final : public Platform {
 public:
  AzurePlatform(std::unique_ptr<Tpm> tpm, EvidenceKind kind, AzureSettings settings)
      : tpm_(std::move(tpm)), kind_(kind), settings_(std::move(settings)) {}

  EvidenceKind kind() const noexcept override { return kind_; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    std::map<std::string, ByteVector> files;
    CLOISTER_ASSIGN(const ByteVector report, tpm_->read_nv(kReportIndex));
    CLOISTER_ASSIGN(const EvidenceKind kind, kind_of(report));
    if (kind != kind_) return Error{Code::io, "azure.report"};
    CLOISTER_ASSIGN(TpmQuote quote,
                    tpm_->quote(Bytes(report_data).first(kNonceBytes), kAttestationKey));
    if (kind_ == EvidenceKind::azure_tdx) {
      const Bytes td_report = Bytes(report).subspan(kHeaderBytes, kTdReportBytes);
      CLOISTER_ASSIGN(files["td.quote"], settings_.td_quote(td_report));
    }
    files["hcl_report.bin"] = report;
    files["pcrs.bin"] = std::move(quote.pcrs);
    files["tpm_quote.msg"] = std::move(quote.message);
    files["tpm_quote.sig"] = std::move(quote.signature);
    return PlatformEvidence{write_evidence_files(files), {}};
  }

  Result<SecretBytes> root_secret() override {
    return tpm_->secret(kTpmRootLabel, settings_.tpm.pcrs);
  }

 private:
  const std::unique_ptr<Tpm> tpm_;
  const EvidenceKind kind_;
  const AzureSettings settings_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_azure_platform(const AzureSettings& settings) {
  CLOISTER_ASSIGN(auto tpm, Tpm::open(settings.tpm.device));
  CLOISTER_ASSIGN(const ByteVector report, tpm->read_nv(kReportIndex));
  CLOISTER_ASSIGN(const EvidenceKind kind, kind_of(report));
  return std::unique_ptr<Platform>(
      std::make_unique<AzurePlatform>(std::move(tpm), kind, settings));
}

}  // namespace cloister
