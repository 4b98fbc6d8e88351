#include "evidence/device/tsm_platform.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/mutex.h"
#include "evidence/device/device_file.h"

namespace cloister {
namespace {

constexpr std::size_t kTextBytesMax = 64;
constexpr unsigned long kGetDerivedKey = 0xC0205301;
constexpr std::uint64_t kBindToPolicyAndMeasurement = 1U << 0 | 1U << 3;

/// struct snp_guest_request_ioctl of the kernel.
struct GuestRequest {
  std::uint8_t message_version;
  std::uint64_t request;
  std::uint64_t response;
  std::uint64_t exit_information;
};
static_assert(sizeof(GuestRequest) == 32);

/// struct snp_derived_key_req of the kernel.
struct DerivedKeyRequest {
  std::uint32_t root_key_select;  ///< 0: the VCEK, which is bound to the chip
  std::uint32_t reserved;
  std::uint64_t fields;
  std::uint32_t vmpl;
  std::uint32_t guest_svn;
  std::uint64_t tcb_version;
};
static_assert(sizeof(DerivedKeyRequest) == 32);

Result<std::string> read_word(const std::string& path) {
  CLOISTER_ASSIGN(const ByteVector text, read_device_file(path, kTextBytesMax));
  std::string word(text_of(text));
  while (!word.empty() && (word.back() == '\n' || word.back() == '\0')) word.pop_back();
  return word;
}

class TsmPlatform final : public Platform {
 public:
  TsmPlatform(const TsmSettings& settings, EvidenceKind kind)
      : settings_(settings), kind_(kind) {}

  EvidenceKind kind() const noexcept override { return kind_; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    CLOISTER_ASSIGN(const DeviceFolder entry,
                    DeviceFolder::make(settings_.root + "/" + settings_.entry));
    CLOISTER_TRY(write_device_file(entry.file("inblob"), report_data));
    CLOISTER_ASSIGN(const std::string before, read_word(entry.file("generation")));
    PlatformEvidence made;
    CLOISTER_ASSIGN(made.evidence, read_device_file(entry.file("outblob"), kEvidenceBytesMax));
    if (kind_ == EvidenceKind::snp) {
      Result<ByteVector> table = read_device_file(entry.file("auxblob"), kEvidenceBytesMax);
      if (table.ok()) made.endorsements = std::move(table).value();
    }
    // Somebody else may write to the same entry: then the report is not over our bytes.
    CLOISTER_ASSIGN(const std::string after, read_word(entry.file("generation")));
    if (before != after || made.evidence.empty()) return Error{Code::io, "tsm.generation"};
    return made;
  }

  Result<SecretBytes> root_secret() override {
    if (kind_ != EvidenceKind::snp || !settings_.derive_key) {
      return Error{Code::unavailable, "tsm.sealing"};
    }
    return settings_.derive_key();
  }

 private:
  const TsmSettings settings_;
  const EvidenceKind kind_;
  Mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_tsm_platform(const TsmSettings& settings) {
  CLOISTER_ASSIGN(const DeviceFolder entry,
                  DeviceFolder::make(settings.root + "/" + settings.entry));
  CLOISTER_ASSIGN(const std::string provider, read_word(entry.file("provider")));
  if (provider != "tdx_guest" && provider != "sev_guest") {
    return Error{Code::unavailable, "tsm.provider"};
  }
  const EvidenceKind kind = provider == "tdx_guest" ? EvidenceKind::tdx : EvidenceKind::snp;
  return std::unique_ptr<Platform>(std::make_unique<TsmPlatform>(settings, kind));
}

Result<SecretBytes> derive_sev_key(const std::string& device, const IoctlRequest& request) {
  const int file = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return Error{Code::not_found, "sev.device"};
  DerivedKeyRequest asked{};
  asked.fields = kBindToPolicyAndMeasurement;
  std::array<std::byte, 64> answer{};  // status, 28 reserved bytes, key
  GuestRequest message{};
  message.message_version = 1;
  message.request = reinterpret_cast<std::uint64_t>(&asked);
  message.response = reinterpret_cast<std::uint64_t>(answer.data());
  const int done = request(file, kGetDerivedKey, &message);
  ::close(file);
  std::uint32_t status = 0;
  std::memcpy(&status, answer.data(), sizeof(status));
  SecretBytes key(copy_of(Bytes(answer).last(kRootSecretBytes)));
  wipe(answer);
  if (done != 0 || status != 0) return Error{Code::io, "sev.derive_key"};
  return key;
}

Result<SecretBytes> derive_sev_key() {
  return derive_sev_key("/dev/sev-guest", [](int file, unsigned long number, void* argument) {
    return ::ioctl(file, number, argument);
  });
}

}  // namespace cloister
