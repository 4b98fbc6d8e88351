#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "config/server_config.h"
#include "crypto/sha256.h"
#include "sandbox/linux/memory_file.h"

namespace cloister {

/// SHA-256 of cloister-sandbox, in hexadecimal, as the build that made this program made it.
extern const char* const kWorkerSha256;

/// Everything whose code sees plaintext, as it was read once and checked: sealed copies, so that
/// what was hashed is what runs.
struct Software {
  SealedFile library;                ///< ONNX Runtime
  std::optional<SealedFile> worker;  ///< cloister-sandbox, under `isolation: "process"`
  Sha256Digest digest{};             ///< as software_digest() in evidence/claims.h
};

/// Finds this program's parts and holds them against the digests of the build: a replaced library
/// or worker stops the start. Fails: `unverified`, `not_found`, `io`.
Result<Software> check_software(const ServerConfig& config);

/// Refuses a machine whose state the configuration does not allow (active swap).
/// Fails: `unavailable`, `io`.
Status check_machine(const ServerConfig& config);

}  // namespace cloister
