// Property: a preface that is read stands for one header, and nothing that the fuzzer writes opens.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "sealed/sealed_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  static const KemPrivateKey key = KemPrivateKey::generate().value();
  const Bytes input = std::as_bytes(std::span(data, size));
  const Result<SealedModel> model = SealedModel::read(input);
  if (!model.ok()) return 0;
  ByteVector file = copy_of(input);
  CLOISTER_CHECK(!model.value().open(file, key).ok());
  const ByteVector preface =
      ModelSealer::make(model.value().header(), key.public_key()).value().preface();
  CLOISTER_CHECK(SealedModel::read(preface).value().header() == model.value().header());
  return 0;
}
