#include "encoding/json_cursor.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "encoding/utf8.h"

namespace cloister {
namespace {

/// Where the bytes of a string go.
struct TextSink {
  std::string text;
  bool put(std::string_view more) {
    text += more;
    return true;
  }
};
struct MemorySink {
  MutableBytes memory;
  std::size_t used = 0;
  bool put(std::string_view more) noexcept {
    if (more.size() > memory.size() - used) return false;
    std::ranges::copy(bytes_of(more), memory.begin() + static_cast<std::ptrdiff_t>(used));
    used += more.size();
    return true;
  }
};
struct NoSink {
  bool put(std::string_view) noexcept { return true; }
};

/// The UTF-8 form of a code point.
struct Utf8Sequence {
  char bytes[4];
  std::size_t count;
  std::string_view view() const noexcept { return {bytes, count}; }
};

Utf8Sequence utf8_of(unsigned point) noexcept {
  if (point < 0x80) return {{static_cast<char>(point)}, 1};
  const std::size_t count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  const unsigned lead = count == 2 ? 0xC0 : count == 3 ? 0xE0 : 0xF0;
  Utf8Sequence sequence{{}, count};
  for (std::size_t i = count - 1; i > 0; --i) {
    sequence.bytes[i] = static_cast<char>(0x80 | (point & 0x3F));
    point >>= 6;
  }
  sequence.bytes[0] = static_cast<char>(lead | point);
  return sequence;
}

}  // namespace

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

template <class Sink>
Status JsonCursor::escape(Sink& sink) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at_ >= text_.size()) return fail("string does not end");
  const char letter = text_[at_++];
  if (letter != 'u') {
    const std::size_t which = kLetters.find(letter);
    if (which == std::string_view::npos) return fail("unknown escape");
    if (!sink.put(kMeanings.substr(which, 1))) return Error{Code::too_large, "json.string"};
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
  if (!sink.put(utf8_of(point).view())) return Error{Code::too_large, "json.string"};
  return Done{};
}

template <class Sink>
Status JsonCursor::read_string(Sink& sink) {
  if (!accept('"')) return fail("expected a string");
  while (at_ < text_.size()) {
    const std::size_t plain_at = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return fail("control character");
      const std::size_t bytes = utf8_sequence_bytes(text_.substr(at_, 4));
      if (bytes == 0) return fail("text is not UTF-8");
      at_ += bytes;
    }
    if (!sink.put(between(plain_at, at_))) return Error{Code::too_large, "json.string"};
    if (at_ == text_.size()) break;
    if (text_[at_++] == '"') return Done{};
    CLOISTER_TRY(escape(sink));
  }
  return fail("string does not end");
}

Result<std::string> JsonCursor::string() {
  TextSink sink;
  CLOISTER_TRY(read_string(sink));
  return std::move(sink.text);
}

Result<std::size_t> JsonCursor::string_into(MutableBytes destination) {
  MemorySink sink{destination};
  CLOISTER_TRY(read_string(sink));
  return sink.used;
}

Result<JsonNumber> JsonCursor::number() {
  peek();
  const JsonNumber found = scan_json_number(rest());
  if (found.text.empty()) return fail("expected a number");
  at_ += found.text.size();
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
    case '"': {
      NoSink sink;
      return read_string(sink);
    }
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
