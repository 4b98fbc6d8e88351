#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/device/seal_identity.h"
#include "evidence/platform.h"

namespace cloister {

struct GramineSettings {
  std::string root = "/dev/attestation";  ///< another one in tests
  SealIdentity seal = SealIdentity::mrenclave;
};

/// SGX under Gramine with `sgx.remote_attestation = "dcap"`. The files are one per process, so
/// evidence is made under a lock. Fails: `unavailable` when the attestation type is not "dcap".
/// Source: Gramine, "Attestation and Secret Provisioning".
Result<std::unique_ptr<Platform>> make_gramine_platform(const GramineSettings& settings);

}  // namespace cloister
