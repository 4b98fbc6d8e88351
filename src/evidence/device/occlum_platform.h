#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/device/ioctl.h"
#include "evidence/device/seal_identity.h"
#include "evidence/platform.h"

namespace cloister {

struct OcclumSettings {
  std::string device = "/dev/sgx";
  IoctlRequest request = kernel_ioctl();
  SealIdentity seal = SealIdentity::mrenclave;
};

/// SGX under Occlum, by its ioctls. The sealing key is that of the processor's and the enclave's
/// present security versions: an update of either asks for a store that is moved.
/// Fails: `not_found` without the device; `unavailable` when it is not Occlum's; `io`.
/// Source: Occlum, "Remote attestation", the ioctls of /dev/sgx; Intel SDM, volume 3D, KEYREQUEST.
Result<std::unique_ptr<Platform>> make_occlum_platform(const OcclumSettings& settings);

}  // namespace cloister
