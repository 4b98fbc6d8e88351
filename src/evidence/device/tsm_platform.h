#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/platform.h"

namespace cloister {

struct TsmSettings {
  std::string root = "/sys/kernel/config/tsm/report";  ///< another one in tests
  std::string entry = "cloister";                      ///< our folder below it
  /// SNP: 32 bytes that the firmware derives from chip, measurement and policy.
  std::function<Result<SecretBytes>()> derive_key;
};

/// TDX and SEV-SNP machines with Linux 6.7 or later, by the kernel's report interface: which of
/// the two, its `provider` says. TDX has no sealing key: `root_secret` is `unavailable` there.
/// Fails: `unavailable` for another provider, `not_found` without the interface, `io`.
/// Source: Linux, Documentation/ABI/testing/configfs-tsm.
Result<std::unique_ptr<Platform>> make_tsm_platform(const TsmSettings& settings);

/// An ioctl: takes descriptor, number and argument, returns 0 when it is done.
using IoctlRequest = std::function<int(int, unsigned long, void*)>;

/// Asks the firmware for a key bound to the measurement and the guest policy, 32 bytes.
/// Fails: `not_found` without the device, `io`. Source: SNP ABI, MSG_KEY_REQ; Linux,
/// Documentation/virt/coco/sev-guest.rst, SNP_GET_DERIVED_KEY.
Result<SecretBytes> derive_sev_key(const std::string& device, const IoctlRequest& request);
/// The same with the kernel's own ioctl on `/dev/sev-guest`.
Result<SecretBytes> derive_sev_key();

}  // namespace cloister
