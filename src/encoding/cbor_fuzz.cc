// Property: in sorted order every accepted input is the only encoding of its value; in any order
// the value survives a round trip.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "encoding/cbor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes input = std::as_bytes(std::span(data, size));
  const Result<CborValue> sorted = decode_cbor(input, CborOrder::sorted);
  if (sorted.ok()) CLOISTER_CHECK(std::ranges::equal(encode_cbor(sorted.value()), input));
  const Result<CborValue> any = decode_cbor(input, CborOrder::any);
  CLOISTER_CHECK(any.ok() || !sorted.ok());
  if (!any.ok()) return 0;
  CLOISTER_CHECK(decode_cbor(encode_cbor(any.value()), CborOrder::any).value() == any.value());
  return 0;
}
