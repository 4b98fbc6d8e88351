#pragma once

#include <string>

#include "base/result.h"
#include "config/server_config.h"
#include "crypto/sha256.h"

namespace cloister {

/// Where the runtime's library is, and the digest of everything whose code sees plaintext.
struct Software {
  std::string runtime_library;
  Sha256Digest digest{};  ///< as software_digest() in evidence/claims.h
};

/// Finds this program's parts and holds them against the digests of the build: a replaced library
/// stops the start. Fails: `unverified`, `not_found`, `io`.
Result<Software> check_software();

/// Refuses a machine whose state the configuration does not allow (active swap).
/// Fails: `unavailable`, `io`.
Status check_machine(const ServerConfig& config);

}  // namespace cloister
