#include "evidence/device/sev_guest.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/byte_reader.h"
#include "base/mutex.h"
#include "evidence/device/device_file.h"

namespace cloister {
namespace {

constexpr unsigned long kGetReport = 0xC0205300;
constexpr unsigned long kGetDerivedKey = 0xC0205301;
constexpr unsigned long kGetExtendedReport = 0xC0205302;
constexpr std::uint64_t kBindToPolicyAndMeasurement = 1U << 0 | 1U << 3;
constexpr std::size_t kReportBytes = 1184;
constexpr std::size_t kCertificatesBytesMax = 16 * 1024;  // the kernel takes no more
constexpr std::size_t kPageBytes = 4096;

/// struct snp_guest_request_ioctl of the kernel.
struct GuestRequest {
  std::uint8_t message_version = 1;
  std::uint64_t request = 0;
  std::uint64_t response = 0;
  std::uint64_t exit_information = 0;
};
static_assert(sizeof(GuestRequest) == 32);

/// struct snp_derived_key_req of the kernel.
struct DerivedKeyRequest {
  std::uint32_t root_key_select = 0;  ///< 0: the VCEK, which is bound to the chip
  std::uint32_t reserved = 0;
  std::uint64_t fields = kBindToPolicyAndMeasurement;
  std::uint32_t vmpl = 0;
  std::uint32_t guest_svn = 0;
  std::uint64_t tcb_version = 0;
};
static_assert(sizeof(DerivedKeyRequest) == 32);

/// struct snp_report_req of the kernel.
struct ReportRequest {
  ReportData report_data{};
  std::uint32_t vmpl = 0;
  std::array<std::byte, 28> reserved{};
};
static_assert(sizeof(ReportRequest) == 96);

/// struct snp_ext_report_req of the kernel.
struct ExtendedReportRequest {
  ReportRequest report;
  std::uint64_t certificates = 0;
  std::uint32_t certificates_size = 0;
};
static_assert(sizeof(ExtendedReportRequest) == 112);

template <class Request>
Status ask(const SevGuestSettings& settings, unsigned long number, Request& request,
           MutableBytes response) {
  GuestRequest message;
  message.request = reinterpret_cast<std::uint64_t>(&request);
  message.response = reinterpret_cast<std::uint64_t>(response.data());
  return ask_device(settings.device, settings.request, number, &message);
}

/// MSG_REPORT_RSP: status, size, 24 reserved bytes, report.
Result<ByteVector> report_in(Bytes response) {
  ByteReader reader(response);
  CLOISTER_ASSIGN(const std::uint32_t status, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  CLOISTER_TRY(reader.skip(24));
  if (status != 0 || size != kReportBytes) return Error{Code::io, "sev.report"};
  CLOISTER_ASSIGN(const Bytes report, reader.take(size));
  return copy_of(report);
}

class SevGuestPlatform final : public Platform {
 public:
  explicit SevGuestPlatform(SevGuestSettings settings) : settings_(std::move(settings)) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::snp; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    ByteVector response(4000);
    ByteVector pages(kCertificatesBytesMax + kPageBytes);
    const auto start = reinterpret_cast<std::uintptr_t>(pages.data());
    const std::size_t skip = (kPageBytes - start % kPageBytes) % kPageBytes;
    ExtendedReportRequest extended;
    extended.report.report_data = report_data;
    extended.certificates = start + skip;
    extended.certificates_size = kCertificatesBytesMax;
    PlatformEvidence made;
    if (ask(settings_, kGetExtendedReport, extended, response).ok()) {
      const Bytes table = Bytes(pages).subspan(skip, kCertificatesBytesMax);
      const bool is_empty =
          std::ranges::all_of(table, [](std::byte b) { return b == std::byte{0}; });
      if (!is_empty) made.endorsements = copy_of(table);
    } else {
      ReportRequest plain;
      plain.report_data = report_data;
      CLOISTER_TRY(ask(settings_, kGetReport, plain, response));
    }
    CLOISTER_ASSIGN(made.evidence, report_in(response));
    return made;
  }

  Result<SecretBytes> root_secret() override { return derive_sev_key(settings_); }

 private:
  const SevGuestSettings settings_;
  Mutex mutex_;
};

}  // namespace

Result<SecretBytes> derive_sev_key(const SevGuestSettings& settings) {
  DerivedKeyRequest asked;
  std::array<std::byte, 64> answer{};  // status, 28 reserved bytes, key
  const Status done = ask(settings, kGetDerivedKey, asked, answer);
  std::uint32_t status = 0;
  std::memcpy(&status, answer.data(), sizeof(status));
  SecretBytes key(copy_of(Bytes(answer).last(kRootSecretBytes)));
  wipe(answer);
  if (!done.ok()) return done.error();
  if (status != 0) return Error{Code::io, "sev.derive_key"};
  return key;
}

Result<std::unique_ptr<Platform>> make_sev_guest_platform(const SevGuestSettings& settings) {
  const DeviceDescriptor device(::open(settings.device.c_str(), O_RDWR | O_CLOEXEC));
  if (device.number() < 0) return Error{Code::not_found, "sev.device"};
  return std::unique_ptr<Platform>(std::make_unique<SevGuestPlatform>(settings));
}

}  // namespace cloister
