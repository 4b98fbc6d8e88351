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

/// Bytes of head and body together; 0 while the head is not there.
std::size_t Asked::expected() const {
  const std::string_view text = text_of(Bytes(room_).first(received_));
  const std::size_t end = text.find("\r\n\r\n");
  if (end == text.npos) return 0;
  if (!text.starts_with("HTTP/1.1 200 ")) refused(text);
  const std::string_view head = text.substr(0, end);
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  const auto found = std::search(head.begin(), head.end(), kLength.begin(), kLength.end(),
                                 same_letter);
  if (found == head.end()) refused(text);
  std::size_t length = 0;
  std::from_chars(&*found + kLength.size(), head.data() + head.size(), length);
  return end + 4 + length;
}

Bytes Asked::body() const {
  const Bytes answer = Bytes(room_).first(received_);
  if (answer_bytes_ != 0) return answer;
  return answer.subspan(text_of(answer).find("\r\n\r\n") + 4);
}

}  // namespace cloister
