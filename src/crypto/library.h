#pragma once

#include "base/result.h"

namespace cloister {

/// Starts the cryptographic library without reading any configuration file of the host's, which
/// could name code to load, and has whatever it keeps on the heap wiped before it is freed. Call it
/// once, before anything else uses cryptography. Fails: `internal`.
Status start_crypto_library();

}  // namespace cloister
