#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/device/ioctl.h"
#include "evidence/platform.h"

namespace cloister {

struct SevGuestSettings {
  std::string device = "/dev/sev-guest";
  IoctlRequest request = kernel_ioctl();
};

/// Asks the firmware for a key bound to the measurement and the guest policy, 32 bytes.
/// Fails: `not_found` without the device, `io`. Source: SNP ABI, MSG_KEY_REQ; Linux,
/// Documentation/virt/coco/sev-guest.rst, SNP_GET_DERIVED_KEY.
Result<SecretBytes> derive_sev_key(const SevGuestSettings& settings);

/// SEV-SNP machines whose kernel has no report interface yet (before 6.7): the extended report
/// with its certificates where the host gives them, else the report alone.
/// Fails: `not_found` without the device. Source: the same, SNP_GET_REPORT, SNP_GET_EXT_REPORT.
Result<std::unique_ptr<Platform>> make_sev_guest_platform(const SevGuestSettings& settings);

}  // namespace cloister
