#include "encoding/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cloister {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNoDigit = 255;

using DigitValues = std::array<std::uint8_t, 256>;

constexpr DigitValues digit_values(std::string_view alphabet) {
  DigitValues values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

std::string encode(Bytes bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k <= count; ++k) text += alphabet[(group >> (18 - 6 * k)) & 63];
  }
  return text;
}

Result<ByteVector> decode(std::string_view digits, const DigitValues& values) {
  const std::size_t tail = digits.size() % 4;
  if (tail == 1) return Error{Code::invalid, "base64.length"};
  ByteVector bytes;
  bytes.reserve(digits.size() / 4 * 3 + 2);
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    const std::size_t count = std::min<std::size_t>(4, digits.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t value =
          k < count ? values[static_cast<unsigned char>(digits[i + k])] : std::uint8_t{0};
      if (value == kNoDigit) return Error{Code::invalid, "base64.digit"};
      group = (group << 6) | value;
    }
    const std::uint32_t unused = count == 4 ? 0U : count == 3 ? 0xFFU : 0xFFFFU;
    if ((group & unused) != 0) return Error{Code::invalid, "base64.unused_bits"};
    for (std::size_t k = 0; k + 1 < count; ++k) {
      bytes.push_back(static_cast<std::byte>((group >> (16 - 8 * k)) & 0xFF));
    }
  }
  return bytes;
}

}  // namespace

std::string base64_encode(Bytes bytes) {
  std::string text = encode(bytes, kStandard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string base64url_encode(Bytes bytes) { return encode(bytes, kUrl); }

Result<ByteVector> base64_decode(std::string_view text) {
  static constexpr DigitValues kValues = digit_values(kStandard);
  if (text.size() % 4 != 0) return Error{Code::invalid, "base64.length"};
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  return decode(text.substr(0, text.size() - padding), kValues);
}

Result<ByteVector> base64url_decode(std::string_view text) {
  static constexpr DigitValues kValues = digit_values(kUrl);
  return decode(text, kValues);
}

}  // namespace cloister
