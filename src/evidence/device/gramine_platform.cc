#include "evidence/device/gramine_platform.h"

#include "base/mutex.h"
#include "crypto/aead.h"
#include "evidence/device/device_file.h"

namespace cloister {
namespace {

constexpr std::size_t kTypeBytesMax = 64;
constexpr std::size_t kSealKeyBytes = 16;
constexpr std::string_view kInfo = "cloister root secret, SGX";

class GraminePlatform final : public Platform {
 public:
  explicit GraminePlatform(const GramineSettings& settings) : settings_(settings) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::sgx; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    CLOISTER_TRY(write_device_file(settings_.root + "/user_report_data", report_data));
    CLOISTER_ASSIGN(ByteVector quote,
                    read_device_file(settings_.root + "/quote", kEvidenceBytesMax));
    if (quote.empty()) return Error{Code::io, "gramine.quote"};
    return PlatformEvidence{std::move(quote), {}};
  }

  Result<SecretBytes> root_secret() override {
    const char* name =
        settings_.seal == SealIdentity::mrenclave ? "_sgx_mrenclave" : "_sgx_mrsigner";
    CLOISTER_ASSIGN(const SecretBytes key,
                    read_device_secret(settings_.root + "/keys/" + name, kSealKeyBytes));
    return hkdf_sha256(key, bytes_of(name), bytes_of(kInfo), kRootSecretBytes);
  }

 private:
  const GramineSettings settings_;
  Mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_gramine_platform(const GramineSettings& settings) {
  CLOISTER_ASSIGN(const ByteVector type,
                  read_device_file(settings.root + "/attestation_type", kTypeBytesMax));
  if (!text_of(type).starts_with("dcap")) return Error{Code::unavailable, "gramine.type"};
  return std::unique_ptr<Platform>(std::make_unique<GraminePlatform>(settings));
}

}  // namespace cloister
