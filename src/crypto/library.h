#pragma once

#include "base/result.h"

namespace cloister {

/// Starts the cryptographic library without reading any configuration file of the host's, which
/// could name code to load. Call it before anything else uses cryptography. Fails: `internal`.
Status start_crypto_library();

}  // namespace cloister
