#include "paper/asked.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace cloister {
namespace {

constexpr std::size_t kAnswerBytesMax = 64U << 20U;

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == b;
}

/// What follows `name` in an answer's head; nothing where it is not there.
std::string_view field(std::string_view head, std::string_view name) {
  const auto found = std::search(head.begin(), head.end(), name.begin(), name.end(), same_letter);
  if (found == head.end()) return {};
  return head.substr(static_cast<std::size_t>(found - head.begin()) + name.size());
}

bool is_chunked(std::string_view head) {
  return field(head, "\r\ntransfer-encoding: ").starts_with("chunked");
}

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

[[noreturn]] void refused(std::string_view answer) {
  std::fprintf(stderr, "answered %.*s\n", static_cast<int>(std::min<std::size_t>(
      answer.size(), 2000)), answer.data());
  std::exit(1);
}

}  // namespace

// The room is written once here: what is timed later meets no fresh memory.
Asked::Asked(std::uint16_t port, std::string request, std::size_t answer_bytes)
    : connection_(BareTls::connect(port)), request_(std::move(request)),
      answer_bytes_(answer_bytes), room_(kAnswerBytesMax, std::byte{1}) {}

Asked Asked::server(std::uint16_t port, std::string request) {
  return {port, std::move(request), 0};
}

Asked Asked::floor(std::uint16_t port, std::string body, std::size_t answer_bytes) {
  return {port, std::move(body), answer_bytes};
}

void Asked::ask() {
  connection_.write(bytes_of(request_));
  received_ = 0;
  chunk_ = 0;
  std::size_t whole = answer_bytes_;
  while (whole == 0 || received_ < whole) {
    CLOISTER_CHECK(received_ < room_.size());
    const std::size_t count = connection_.read_some(MutableBytes(room_).subspan(received_));
    if (count == 0) refused("nothing: the connection has ended");
    received_ += count;
    if (whole == 0) whole = expected();
  }
  CLOISTER_CHECK(received_ == whole);
}

std::string_view Asked::received() const { return text_of(Bytes(room_).first(received_)); }

/// Bytes of head and body together; 0 while that is not known.
std::size_t Asked::expected() {
  const std::string_view text = received();
  const std::size_t end = text.find("\r\n\r\n");
  if (end == text.npos) return 0;
  if (!text.starts_with("HTTP/1.1 200 ")) refused(text);
  const std::string_view head = text.substr(0, end);
  if (is_chunked(head)) return end_of_chunks(end + 4);
  const std::string_view length = field(head, "\r\ncontent-length: ");
  if (length.empty()) refused(text);
  return end + 4 + number(length, 10);
}

std::size_t Asked::end_of_chunks(std::size_t begin) {
  const std::string_view text = received();
  chunk_ = std::max(chunk_, begin);
  for (;;) {
    const std::size_t line = text.find("\r\n", chunk_);
    if (line == text.npos) return 0;
    const std::size_t size = number(text.substr(chunk_), 16);
    const std::size_t next = line + 2 + size + 2;
    if (size == 0) return next;
    if (next > text.size()) return 0;
    chunk_ = next;
  }
}

std::string Asked::body() const {
  const std::string_view text = received();
  if (answer_bytes_ != 0) return std::string(text);
  const std::size_t end = text.find("\r\n\r\n");
  if (!is_chunked(text.substr(0, end))) return std::string(text.substr(end + 4));
  std::string whole;
  for (std::size_t at = end + 4;;) {
    const std::size_t size = number(text.substr(at), 16);
    if (size == 0) return whole;
    const std::size_t data = text.find("\r\n", at) + 2;
    whole += text.substr(data, size);
    at = data + size + 2;
  }
}

}  // namespace cloister
