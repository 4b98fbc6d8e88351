#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/device/ioctl.h"
#include "evidence/device/quote_service.h"
#include "evidence/platform.h"

namespace cloister {

struct TdxGuestSettings {
  std::string device = "/dev/tdx_guest";
  IoctlRequest request = kernel_ioctl();
  QuoteService service = quote_generation_service(vsock_exchange(4050));
};

/// TDX machines whose kernel has no report interface yet (before 6.7): the device makes a TDREPORT,
/// which only this very machine can check, and the host's service makes the quote of it.
/// Has no sealing key. Fails: `not_found` without the device.
/// Source: Linux, Documentation/virt/coco/tdx-guest.rst, TDX_CMD_GET_REPORT0.
Result<std::unique_ptr<Platform>> make_tdx_guest_platform(const TdxGuestSettings& settings);

}  // namespace cloister
