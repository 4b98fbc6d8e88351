#include <cstdint>

#include "config/server_config.h"

// Property: what was accepted survives a round trip through its canonical text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const auto config =
      parse_server_config(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!config.ok()) return 0;
  const std::string text = canonical_text(config.value());
  const auto again = parse_server_config(text);
  CLOISTER_CHECK(again.ok() || text.size() > kConfigBytesMax);
  if (again.ok()) CLOISTER_CHECK(canonical_text(again.value()) == text);
  return 0;
}
