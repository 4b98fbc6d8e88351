#include "encoding/json_cursor.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>

#include "encoding/utf8.h"

namespace cloister {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::size_t count_digits(std::string_view text) noexcept {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

/// Bytes of the JSON number that `text` begins with; 0 where its grammar is broken.
std::size_t number_bytes(std::string_view text) noexcept {
  std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  const std::size_t whole = count_digits(text.substr(at));
  if (whole == 0 || (whole > 1 && text[at] == '0')) return 0;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = count_digits(text.substr(at + 1));
    if (fraction == 0) return 0;
    at += 1 + fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t digits_at = at + 1;
    if (digits_at < text.size() && (text[digits_at] == '+' || text[digits_at] == '-')) ++digits_at;
    const std::size_t exponent = count_digits(text.substr(digits_at));
    if (exponent == 0) return 0;
    at = digits_at + exponent;
  }
  return at;
}

void append_utf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  const int continuations = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const unsigned lead = continuations == 1 ? 0xC0 : continuations == 2 ? 0xE0 : 0xF0;
  out += static_cast<char>(lead | (point >> (6 * continuations)));
  for (int i = continuations - 1; i >= 0; --i) {
    out += static_cast<char>(0x80 | ((point >> (6 * i)) & 0x3F));
  }
}

/// Whether a number that from_chars calls out of range is too small rather than too large: the
/// decimal exponent of its first digit that is not 0 decides.
bool is_tiny(std::string_view number) noexcept {
  if (number.front() == '-') number.remove_prefix(1);
  const std::size_t mantissa_end = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, mantissa_end);
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const std::int64_t magnitude = point - static_cast<std::int64_t>(first);
  if (mantissa_end == number.size()) return magnitude <= 0;
  std::string_view digits = number.substr(mantissa_end + 1);
  const bool negative = digits.front() == '-';
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (parsed.ec != std::errc{}) return negative;
  return (negative ? -exponent : exponent) + magnitude <= 0;
}

template <class Float>
Result<Float> floating(std::string_view number) {
  Float value = 0;
  const char* const end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, value);
  if (parsed.ec == std::errc::result_out_of_range) {
    if (!is_tiny(number)) return Error{Code::invalid, "json.number_range"};
    return number.front() == '-' ? -Float{0} : Float{0};
  }
  if (parsed.ec != std::errc{} || parsed.ptr != end) return Error{Code::invalid, "json.number"};
  if (!std::isfinite(value)) return Error{Code::invalid, "json.number_range"};
  return value;
}

}  // namespace

Result<double> json_double(std::string_view number) { return floating<double>(number); }
Result<float> json_float(std::string_view number) { return floating<float>(number); }

char JsonCursor::peek() noexcept {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
    ++at_;
  }
  return '\0';
}

bool JsonCursor::accept(char expected) noexcept {
  if (peek() != expected || at_ == text_.size()) return false;
  ++at_;
  return true;
}

Error JsonCursor::fail_at(std::size_t at, const char* why) const {
  return Error{Code::invalid, "json.syntax",
               Detail("JSON, byte " + std::to_string(at) + ": " + why)};
}

Status JsonCursor::enter(char bracket, const char* why) {
  if (!accept(bracket)) return fail(why);
  if (depth_ >= depth_max_) {
    return Error{Code::too_large, "json.depth",
                 Detail("JSON: nested deeper than " + std::to_string(depth_max_))};
  }
  ++depth_;
  return Done{};
}

Result<unsigned> JsonCursor::four_hex_digits() {
  const std::string_view digits = text_.substr(at_, 4);
  unsigned value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 4 || parsed.ec != std::errc{} || parsed.ptr != digits.data() + 4) {
    return fail("expected four hexadecimal digits");
  }
  at_ += 4;
  return value;
}

Status JsonCursor::escape(std::string& out) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at_ >= text_.size()) return fail("string does not end");
  const char letter = text_[at_++];
  if (letter != 'u') {
    const std::size_t which = kLetters.find(letter);
    if (which == std::string_view::npos) return fail("unknown escape");
    out += kMeanings[which];
    return Done{};
  }
  CLOISTER_ASSIGN(unsigned point, four_hex_digits());
  if (point >= 0xDC00 && point <= 0xDFFF) return fail("lone surrogate");
  if (point >= 0xD800 && point <= 0xDBFF) {
    if (text_.substr(at_, 2) != "\\u") return fail("lone surrogate");
    at_ += 2;
    CLOISTER_ASSIGN(const unsigned low, four_hex_digits());
    if (low < 0xDC00 || low > 0xDFFF) return fail("lone surrogate");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, point);
  return Done{};
}

Result<std::string> JsonCursor::string() {
  if (!accept('"')) return fail("expected a string");
  std::string out;
  while (at_ < text_.size()) {
    const std::size_t plain_at = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return fail("control character");
      const std::size_t bytes = utf8_sequence_bytes(text_.substr(at_, 4));
      if (bytes == 0) return fail("text is not UTF-8");
      at_ += bytes;
    }
    out.append(text_, plain_at, at_ - plain_at);
    if (at_ == text_.size()) break;
    if (text_[at_++] == '"') return out;
    CLOISTER_TRY(escape(out));
  }
  return fail("string does not end");
}

Result<std::string_view> JsonCursor::number() {
  peek();
  const std::size_t bytes = number_bytes(rest());
  if (bytes == 0) return fail("expected a number");
  const std::string_view found = text_.substr(at_, bytes);
  at_ += bytes;
  return found;
}

Status JsonCursor::literal(std::string_view word) {
  peek();
  if (text_.substr(at_, word.size()) != word) return fail("expected a value");
  at_ += word.size();
  return Done{};
}

Result<bool> JsonCursor::boolean() {
  const bool value = peek() == 't';
  CLOISTER_TRY(literal(value ? "true" : "false"));
  return value;
}

Status JsonCursor::null() { return literal("null"); }

Status JsonCursor::skip() {
  switch (peek()) {
    case '{':
      return object([this](const std::string&) { return skip(); });
    case '[':
      return array([this] { return skip(); });
    case '"':
      CLOISTER_TRY(string());
      return Done{};
    case 't':
    case 'f':
      CLOISTER_TRY(boolean());
      return Done{};
    case 'n':
      return null();
    default:
      CLOISTER_TRY(number());
      return Done{};
  }
}

Status JsonCursor::end() {
  peek();
  if (at_ != text_.size()) return fail("something follows the value");
  return Done{};
}

}  // namespace cloister
