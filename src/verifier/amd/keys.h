#pragma once

#include "base/bytes.h"
#include "crypto/signature.h"

namespace cloister {

enum class AmdProduct { milan, genoa, turin };

/// What signs the VCEKs or VLEKs of one product.
struct AmdIntermediate {
  PublicKey key;
  ByteVector serial;  ///< of its certificate, as revocation lists name it
};

/// The ASK (or, for VLEKs, the ASVK) that AMD publishes for a product. Used where no chain is
/// given; a chain that is given must end in the product's root.
AmdIntermediate published_intermediate(AmdProduct product, bool for_vlek);

/// The ARK of a product.
PublicKey published_root(AmdProduct product);

}  // namespace cloister
