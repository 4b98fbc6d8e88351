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

/// Never writes past what it has read: `destination` may begin where `digits` does.
Result<std::size_t> decode_to(std::string_view digits, const DigitValues& values,
                              MutableBytes destination) {
  const std::size_t tail = digits.size() % 4;
  if (tail == 1) return Error{Code::invalid, "base64.length"};
  const std::size_t size = digits.size() / 4 * 3 + (tail == 0 ? 0 : tail - 1);
  if (size > destination.size()) return Error{Code::too_large, "base64.room"};
  std::size_t at = 0;
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
      destination[at++] = static_cast<std::byte>((group >> (16 - 8 * k)) & 0xFF);
    }
  }
  return at;
}

Result<ByteVector> decode(std::string_view digits, const DigitValues& values) {
  ByteVector bytes(digits.size() / 4 * 3 + 2);
  CLOISTER_ASSIGN(const std::size_t size, decode_to(digits, values, bytes));
  bytes.resize(size);
  return bytes;
}

/// `text` without its padding. Fails: `invalid`.
Result<std::string_view> unpadded(std::string_view text) {
  if (text.size() % 4 != 0) return Error{Code::invalid, "base64.length"};
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  return text.substr(0, text.size() - padding);
}

constexpr DigitValues kStandardValues = digit_values(kStandard);
constexpr DigitValues kUrlValues = digit_values(kUrl);

}  // namespace

std::string base64_encode(Bytes bytes) {
  std::string text = encode(bytes, kStandard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string base64url_encode(Bytes bytes) { return encode(bytes, kUrl); }

Result<ByteVector> base64_decode(std::string_view text) {
  CLOISTER_ASSIGN(const std::string_view digits, unpadded(text));
  return decode(digits, kStandardValues);
}

Result<std::size_t> base64_decode_to(std::string_view text, MutableBytes destination) {
  CLOISTER_ASSIGN(const std::string_view digits, unpadded(text));
  return decode_to(digits, kStandardValues, destination);
}

Result<ByteVector> base64url_decode(std::string_view text) { return decode(text, kUrlValues); }

}  // namespace cloister
