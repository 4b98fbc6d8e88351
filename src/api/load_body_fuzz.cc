// Property: an accepted load request names a version in range, a file within the bound, and options
// that survive a round trip through their own text.
#include <cstdint>
#include <span>

#include "api/load_body.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  constexpr std::uint64_t kFileMax = 64;
  const auto request = read_load_body(std::as_bytes(std::span(data, size)), kFileMax);
  if (!request.ok()) return 0;
  if (const auto& file = request.value().file) {
    CLOISTER_CHECK(file->version.value >= 1 && file->version.value <= kVersionNumberMax);
    CLOISTER_CHECK(file->size >= 1 && file->size <= kFileMax);
  }
  if (const auto& options = request.value().options) {
    const auto again = parse_model_options(model_options_json(*options));
    CLOISTER_CHECK(again.ok() && again.value() == *options);
  }
  return 0;
}
