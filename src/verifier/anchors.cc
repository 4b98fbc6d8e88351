#include "verifier/anchors.h"

#include <algorithm>

#include "base/check.h"
#include "encoding/hex.h"

namespace cloister {
namespace {

Sha256Digest digest(const char* hex) {
  const Result<ByteVector> bytes = hex_decode(hex);
  Sha256Digest out{};
  CLOISTER_CHECK(bytes.ok() && bytes.value().size() == out.size());
  std::ranges::copy(bytes.value(), out.begin());
  return out;
}

TrustAnchors make_production_anchors() {
  TrustAnchors anchors;
  // Two certificates of Intel's root are in use, with other validities and the same key.
  anchors.intel = {digest("a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e")};
  anchors.amd_milan = {digest("9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9")};
  anchors.amd_genoa = {digest("429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831")};
  anchors.amd_turin = {digest("4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08")};
  return anchors;
}

}  // namespace

const TrustAnchors& production_anchors() {
  static const TrustAnchors anchors = make_production_anchors();
  return anchors;
}

}  // namespace cloister
