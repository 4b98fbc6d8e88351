#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "encoding/json_number.h"

namespace cloister {

inline constexpr std::size_t kJsonMembersMax = 1U << 16;  ///< members of one object

/// Reads JSON text (RFC 8259) from front to back, one value at a time, without building a tree.
/// Strict: UTF-8 is validated, lone surrogates, duplicate keys and anything past the value are
/// refused. All failures are `invalid` or `too_large`, with a Detail that names the byte.
/// `text` must outlive the cursor.
class JsonCursor {
 public:
  JsonCursor(std::string_view text, std::size_t depth_max) noexcept
      : text_(text), depth_max_(depth_max) {}

  /// The next character that is not a blank, without consuming it; NUL at the end.
  char peek() noexcept {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
      ++at_;
    }
    return '\0';
  }
  /// Consumes `expected` if it comes next, after blanks.
  bool accept(char expected) noexcept {
    if (peek() != expected || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  /// Bytes consumed so far.
  std::size_t offset() const noexcept { return at_; }
  /// All of the text after `offset()`, and a way past its first `count` bytes, for a caller that
  /// reads numbers itself.
  std::string_view rest() const noexcept { return text_.substr(at_); }
  void advance(std::size_t count) noexcept { at_ += count; }
  std::string_view between(std::size_t from, std::size_t to) const noexcept {
    return text_.substr(from, to - from);
  }

  /// A string with its escapes resolved.
  Result<std::string> string();
  /// The same, written to `destination`: how many bytes it has. Leaves no copy elsewhere.
  /// Fails: `too_large` also where it does not fit. No more bytes than the text has are needed.
  Result<std::size_t> string_into(MutableBytes destination);
  Result<JsonNumber> number();
  Result<bool> boolean();
  Status null();
  /// Checks and passes over one value of any kind.
  Status skip();
  /// Nothing but blanks may be left.
  Status end();

  /// An object: `on_member(key)` is called with the cursor before each value and must consume it.
  template <class OnMember>
  Status object(OnMember&& on_member) {
    CLOISTER_TRY(enter('{', "expected an object"));
    std::set<std::string> keys;
    while (!accept('}')) {
      if (!keys.empty() && !accept(',')) return fail("expected , or }");
      const std::size_t key_at = at_;
      CLOISTER_ASSIGN(std::string key, string());
      const auto [place, is_new] = keys.insert(std::move(key));
      if (!is_new) return fail_at(key_at, "duplicate key");
      if (keys.size() > kJsonMembersMax) return Error{Code::too_large, "json.members"};
      if (!accept(':')) return fail("expected :");
      CLOISTER_TRY(on_member(*place));
    }
    leave();
    return Done{};
  }

  /// An array: `on_item()` is called with the cursor before each item and must consume it.
  template <class OnItem>
  Status array(OnItem&& on_item) {
    CLOISTER_TRY(enter('[', "expected an array"));
    for (bool first = true; !accept(']'); first = false) {
      if (!first && !accept(',')) return fail("expected , or ]");
      CLOISTER_TRY(on_item());
    }
    leave();
    return Done{};
  }

  /// An error that names the byte reached.
  Error fail(const char* why) const { return fail_at(at_, why); }

 private:
  Status enter(char bracket, const char* why);
  void leave() noexcept { --depth_; }
  Error fail_at(std::size_t at, const char* why) const;
  Status literal(std::string_view word);
  template <class Sink>
  Status read_string(Sink& sink);
  template <class Sink>
  Status escape(Sink& sink);
  Result<unsigned> four_hex_digits();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t depth_max_;
};

}  // namespace cloister
