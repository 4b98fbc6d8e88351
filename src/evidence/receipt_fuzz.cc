// Property: what is read is the only encoding of its statement: signed anew under any key it gives
// the same bytes up to key identifier and signature, and reads back equal.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "evidence/receipt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  static const SigningKey key = SigningKey::generate_p256().value();
  static const PublicKey public_key = PublicKey::from_spki(key.spki()).value();
  const Bytes input = std::as_bytes(std::span(data, size));
  const Result<Receipt> receipt = Receipt::read(input);
  if (!receipt.ok()) return 0;
  CLOISTER_CHECK(!receipt.value().verify(public_key).ok());
  const ByteVector ours = write_receipt(receipt.value().statement(), key).value();
  CLOISTER_CHECK(ours.size() == input.size());
  const Receipt again = Receipt::read(ours).value();
  CLOISTER_CHECK(again.statement() == receipt.value().statement());
  CLOISTER_CHECK(again.verify(public_key).ok());
  return 0;
}
