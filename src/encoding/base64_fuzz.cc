// Property: whatever decodes, encodes back to the same text.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "encoding/base64.h"
#include "encoding/hex.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes input = std::as_bytes(std::span(data, size));
  const std::string_view text = text_of(input);
  const Result<ByteVector> standard = base64_decode(text);
  if (standard.ok()) CLOISTER_CHECK(base64_encode(standard.value()) == text);
  const Result<ByteVector> url = base64url_decode(text);
  if (url.ok()) CLOISTER_CHECK(base64url_encode(url.value()) == text);
  CLOISTER_CHECK(base64_decode(base64_encode(input)).value() == copy_of(input));
  CLOISTER_CHECK(hex_decode(hex_encode(input)).value() == copy_of(input));
  return 0;
}
