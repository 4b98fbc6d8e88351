// Property: whatever parses as a certificate yields at most so many bounded names, or none.
#include <cstdint>
#include <span>

#include "access/certificate_names.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const auto parsed = Certificate::parse(std::as_bytes(std::span(data, size)));
  if (!parsed.ok()) return 0;
  static_cast<void>(may_be_a_client(parsed.value()).ok());
  const auto names = names_in(parsed.value());
  if (!names.ok()) return 0;
  CLOISTER_CHECK(names.value().size() <= kCertificateNamesMax);
  for (const std::string& each : names.value()) {
    CLOISTER_CHECK(!each.empty() && each.size() <= 255 && each.find('\0') == each.npos);
  }
  return 0;
}
