#include "evidence/tpm/tpm_platform.h"

#include <utility>

#include "evidence/envelope.h"
#include "evidence/tpm/tpm.h"

namespace cloister {
namespace {

constexpr std::size_t kNonceBytes = 32;

class TpmPlatform final : public Platform {
 public:
  TpmPlatform(std::unique_ptr<Tpm> tpm, TpmSettings settings)
      : tpm_(std::move(tpm)), settings_(std::move(settings)) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::tpm; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    CLOISTER_ASSIGN(TpmQuote quote,
                    tpm_->quote(Bytes(report_data).first(kNonceBytes), std::nullopt));
    std::map<std::string, ByteVector> files;
    files["ak.tpmt"] = std::move(quote.ak_public);
    files["pcrs.bin"] = std::move(quote.pcrs);
    files["quote.msg"] = std::move(quote.message);
    files["quote.sig"] = std::move(quote.signature);
    return PlatformEvidence{write_evidence_files(files), {}};
  }

  Result<SecretBytes> root_secret() override { return tpm_->secret(kTpmRootLabel, settings_.pcrs); }

 private:
  const std::unique_ptr<Tpm> tpm_;
  const TpmSettings settings_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_tpm_platform(const TpmSettings& settings) {
  CLOISTER_ASSIGN(auto tpm, Tpm::open(settings.device));
  return std::unique_ptr<Platform>(std::make_unique<TpmPlatform>(std::move(tpm), settings));
}

}  // namespace cloister
