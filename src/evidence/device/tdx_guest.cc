#include "evidence/device/tdx_guest.h"

#include <fcntl.h>

#include <array>
#include <utility>

#include "base/mutex.h"
#include "evidence/device/device_file.h"

namespace cloister {
namespace {

constexpr unsigned long kGetReport = 0xC4405401;

/// struct tdx_report_req of the kernel.
struct ReportRequest {
  ReportData report_data{};
  std::array<std::byte, kTdReportBytes> report{};
};
static_assert(sizeof(ReportRequest) == 1088);

class TdxGuestPlatform final : public Platform {
 public:
  explicit TdxGuestPlatform(TdxGuestSettings settings) : settings_(std::move(settings)) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::tdx; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    ReportRequest request;
    request.report_data = report_data;
    CLOISTER_TRY(ask_device(settings_.device, settings_.request, kGetReport, &request));
    CLOISTER_ASSIGN(ByteVector quote, settings_.service(request.report));
    return PlatformEvidence{std::move(quote), {}};
  }

  Result<SecretBytes> root_secret() override {
    return Error{Code::unavailable, "tdx_guest.sealing"};
  }

 private:
  const TdxGuestSettings settings_;
  Mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_tdx_guest_platform(const TdxGuestSettings& settings) {
  const DeviceDescriptor device(::open(settings.device.c_str(), O_RDWR | O_CLOEXEC));
  if (device.number() < 0) return Error{Code::not_found, "tdx_guest.device"};
  return std::unique_ptr<Platform>(std::make_unique<TdxGuestPlatform>(settings));
}

}  // namespace cloister
