#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vault/anchor.h"

namespace cloister {

/// Which TPM 2.0, and where in its NV memory. One store takes two indices of its own.
struct TpmAnchorSettings {
  std::string device = "/dev/tpmrm0";  ///< or "swtpm:host=127.0.0.1,port=2321" for a simulator
  std::uint32_t counter_index = 0x01800c10;
  std::uint32_t secret_index = 0x01800c11;
};

/// An anchor in a TPM's NV memory: a counter that only rises, which stands for the epoch, and the
/// secret. Both are authorised with a key that only the store derives, over a salted session, so
/// that the host can neither read nor write them; it can delete them, which refuses the store.
/// Owner authorisation must be empty while a store is made. A host that restores the TPM's own
/// state rolls this back too: docs/threat-model.md.
/// Fails: `io` when the TPM does not answer.
Result<std::unique_ptr<Anchor>> make_tpm_anchor(const TpmAnchorSettings& settings);

}  // namespace cloister
