#include "encoding/utf8.h"

#include <cstdint>

namespace cloister {
namespace {

bool within(char byte, unsigned low, unsigned high) noexcept {
  const unsigned value = static_cast<unsigned char>(byte);
  return value >= low && value <= high;
}

bool are_continuations(std::string_view bytes) noexcept {
  for (const char byte : bytes) {
    if (!within(byte, 0x80, 0xBF)) return false;
  }
  return true;
}

}  // namespace

std::size_t utf8_sequence_bytes(std::string_view rest) noexcept {
  if (rest.empty()) return 0;
  const unsigned lead = static_cast<unsigned char>(rest[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t count = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (rest.size() < count || !are_continuations(rest.substr(1, count - 1))) return 0;
  // The second byte's range depends on the lead: this is what keeps out overlong forms,
  // surrogates and values that Unicode does not have.
  const bool second_fits = lead == 0xE0   ? within(rest[1], 0xA0, 0xBF)
                           : lead == 0xED ? within(rest[1], 0x80, 0x9F)
                           : lead == 0xF0 ? within(rest[1], 0x90, 0xBF)
                           : lead == 0xF4 ? within(rest[1], 0x80, 0x8F)
                                          : true;
  return second_fits ? count : 0;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t count = utf8_sequence_bytes(text);
    if (count == 0) return false;
    text.remove_prefix(count);
  }
  return true;
}

}  // namespace cloister
