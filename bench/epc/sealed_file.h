#pragma once

#include <string>

#include "epc/enclave_model.h"

namespace cloister {

/// A model at rest as the paper's design keeps it: one AES-256-GCM call over the whole file, nonce
/// (12 bytes) | ciphertext | tag (16 bytes). The key is a constant: what is measured is the work.
/// Failures end the program.
void seal_file(const std::string& plain, const std::string& sealed);

/// Opens what `read_into_enclave` brought in, into a second buffer of enclave memory, and takes
/// its SHA-256.
EnclaveBytes open_sealed(const EnclaveBytes& sealed);

/// Has the kernel forget what it holds of the file.
void drop_from_cache(const std::string& path);

}  // namespace cloister
