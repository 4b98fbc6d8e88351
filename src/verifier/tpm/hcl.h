#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/signature.h"

namespace cloister {

/// Azure's report of the paravisor: the hardware's own report, and the runtime data that its
/// report data covers, which name the virtual TPM's attestation key.
/// Source: Azure confidential VM guest attestation, "Attestation report and runtime data".
struct HclReport {
  bool is_tdx = false;
  Bytes hardware_report;  ///< 1184 bytes: an SNP report, or a TDX report that a quote replaces
  Bytes runtime_data;     ///< the exact JSON
  ByteVector ak_modulus;
  std::uint32_t ak_exponent = 0;
  std::string user_data;  ///< hexadecimal, as the JSON has it
  std::vector<std::pair<std::string, std::string>> vm_configuration;
};

/// Fails: `corrupt`; `unsupported` for another request, report or hash type.
Result<HclReport> read_hcl_report(Bytes bytes);

}  // namespace cloister
