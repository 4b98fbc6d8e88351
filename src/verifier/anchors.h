#pragma once

#include <vector>

#include "crypto/sha256.h"

namespace cloister {

/// The keys that everything is believed for: SHA-256 of the SPKI of each vendor's root. The public
/// interface always uses production_anchors(); only tests can make others, and only through the
/// parts of the verifier that no other library reaches.
struct TrustAnchors {
  std::vector<Sha256Digest> intel;
  std::vector<Sha256Digest> amd_milan, amd_genoa, amd_turin;
};

/// Intel's SGX root and AMD's product roots.
const TrustAnchors& production_anchors();

}  // namespace cloister
