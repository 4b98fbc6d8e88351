// Property: a library asks for no more addresses than the bound, whatever its file holds.
#include <cstdint>
#include <span>

#include "base/check.h"
#include "engine/ort/library_place.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  CLOISTER_CHECK(addresses_of_library(std::as_bytes(std::span(data, size))) <= 1U << 30);
  return 0;
}
