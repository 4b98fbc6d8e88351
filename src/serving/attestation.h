#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"
#include "evidence/attester.h"
#include "vault/vault.h"

namespace cloister {

/// The use case behind `GET /v2/attestation?nonce=`: fresh evidence for one asker on one
/// connection, with the catalogue's epoch as it is now. Safe from several threads; may take as long
/// as the platform does, so it belongs on a thread that may wait.
class Attestation {
 public:
  /// Both must outlive it.
  Attestation(Attester& attester, const Vault& vault) : attester_(attester), vault_(vault) {}

  /// `nonce`: base64url, 16 to 64 bytes once decoded. `tls_exporter`: RFC 9266, of the asker's own
  /// connection. A JSON object, docs/wire-api.md. Fails: `invalid`, `busy`, as the platform does.
  Result<std::string> answer(std::string_view nonce,
                             const std::array<std::byte, 32>& tls_exporter) const;

 private:
  Attester& attester_;
  const Vault& vault_;
};

}  // namespace cloister
