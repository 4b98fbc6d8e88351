// Property: an accepted bundle has one encoding only, the one that was read, and all its weights
// lie inside the segment.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "model/model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes input = std::as_bytes(std::span(data, size));
  const Result<GraphBundle> bundle = decode_bundle(input);
  if (!bundle.ok()) return 0;
  CLOISTER_CHECK(std::ranges::equal(encode_bundle(bundle.value()), input));
  for (const WeightEntry& entry : bundle.value().weights) {
    CLOISTER_CHECK(entry.offset + entry.bytes <= bundle.value().weights_bytes);
  }
  return 0;
}
