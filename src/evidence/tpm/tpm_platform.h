#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "evidence/platform.h"

namespace cloister {

/// A measured boot: a TPM 2.0 quote over all SHA-256 PCRs, with the first 32 bytes of the report
/// data as its nonce. Shows no enclave; clients refuse it alone unless their policy says otherwise.
/// The attestation key is a primary key of the endorsement hierarchy: the same for the same TPM, so
/// that clients can pin its name. Nothing stays in the TPM's few slots. Has no root secret.
/// `transport` is a TCTI configuration: "device:/dev/tpmrm0", "swtpm:path=FILE".
/// Fails: `io` when the TPM does not answer.
/// Source: TPM 2.0 Library, Part 3: TPM2_CreatePrimary, TPM2_Quote, TPM2_PCR_Read.
Result<std::unique_ptr<Platform>> make_tpm_platform(const std::string& transport);

}  // namespace cloister
