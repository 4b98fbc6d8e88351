#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "evidence/platform.h"
#include "evidence/tpm/tpm_platform.h"

namespace cloister {

struct AzureSettings {
  TpmSettings tpm;
  /// Turns the paravisor's TDREPORT (1024 bytes) into a quote; not called on SEV-SNP.
  std::function<Result<ByteVector>(Bytes td_report)> td_quote;
};

/// A confidential virtual machine of Azure's, SEV-SNP or TDX: the paravisor's report out of the
/// virtual TPM's memory vouches for an attestation key, which quotes all PCRs with the first 32
/// bytes of the report data as its nonce. The VCEK is not in the evidence: clients bring it. The
/// root secret is the virtual TPM's, as of a TPM platform.
/// Fails: `not_found` where the TPM holds no such report; `unavailable` for another kind of it.
/// Source: Azure confidential VM guest attestation, "Attestation report and runtime data".
Result<std::unique_ptr<Platform>> make_azure_platform(const AzureSettings& settings);

}  // namespace cloister
