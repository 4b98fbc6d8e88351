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

}  // namespace cloister
