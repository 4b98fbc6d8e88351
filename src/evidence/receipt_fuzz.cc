// Property: what is read is one encoding of its statement, which signed anew reads back equal; and
// no receipt that the fuzzer writes verifies under a key of ours.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "evidence/receipt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  static const SigningKey key = SigningKey::generate_p256().value();
  static const Sha256Digest digest = sha256(key.spki());
  const Bytes input = std::as_bytes(std::span(data, size));
  const Result<Receipt> receipt = Receipt::read(input);
  if (!receipt.ok()) return 0;
  CLOISTER_CHECK(!receipt.value().verify(digest).ok());
  const ByteVector ours = write_receipt(receipt.value().statement(), key).value();
  const Receipt again = Receipt::read(ours).value();
  CLOISTER_CHECK(again.statement() == receipt.value().statement());
  CLOISTER_CHECK(again.verify(digest).ok());
  return 0;
}
