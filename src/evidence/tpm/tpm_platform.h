#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "evidence/platform.h"

namespace cloister {

struct TpmSettings {
  std::string device = "/dev/tpmrm0";  ///< as Tpm::open takes it
  /// What the root secret is bound to: by default the boot chain.
  std::set<std::uint32_t> pcrs{0, 1, 2, 3, 4, 5, 6, 7};
};

/// A measured boot: a TPM 2.0 quote over all SHA-256 PCRs, with the first 32 bytes of the report
/// data as its nonce. Shows no enclave; clients refuse it alone unless their policy says otherwise.
/// The attestation key is a primary key of the endorsement hierarchy: the same for the same TPM, so
/// that clients can pin its name. The root secret is the TPM's, bound to the values of `pcrs`: it
/// is another one after a change of the boot chain, and whatever else runs on the machine can ask
/// for it too. Fails: `io` when the TPM does not answer.
Result<std::unique_ptr<Platform>> make_tpm_platform(const TpmSettings& settings);

}  // namespace cloister
