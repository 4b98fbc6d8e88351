// Property: the files that are read survive a round trip.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "client/collateral.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const auto files = read_collateral_bundle(text_of(std::as_bytes(std::span(data, size))));
  if (!files.ok()) return 0;
  const std::string text = write_collateral_bundle(files.value(), UtcSeconds{}, std::nullopt);
  CLOISTER_CHECK(read_collateral_bundle(text).value() == files.value());
  return 0;
}
