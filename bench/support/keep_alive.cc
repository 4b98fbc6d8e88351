#include "support/keep_alive.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/check.h"

namespace cloister {

void KeepAlive::ask(Bytes request) {
  connection_.write(request);
  std::size_t received = 0;
  std::size_t begin = 0;
  std::size_t length = 0;
  while (begin == 0 || received < begin + length) {
    CLOISTER_CHECK(received < room_.size());
    const std::size_t count = connection_.read_some(MutableBytes(room_).subspan(received));
    CLOISTER_CHECK(count > 0);
    received += count;
    if (begin != 0) continue;
    const std::string_view text = text_of(Bytes(room_).first(received));
    const std::size_t end = text.find("\r\n\r\n");
    if (end == text.npos) continue;
    if (!text.starts_with("HTTP/1.1 200 ")) {
      std::fprintf(stderr, "answered %.*s\n", static_cast<int>(text.size()), text.data());
      std::_Exit(1);
    }
    head_ = text.substr(0, end);
    const std::string_view digits = header("content-length");
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
    begin = end + 4;
  }
  body_ = Bytes(room_).subspan(begin, length);
}

std::string_view KeepAlive::header(std::string_view name) const noexcept {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const std::size_t found = head_.find(line);
  if (found == head_.npos) return {};
  const std::size_t from = found + line.size();
  return head_.substr(from, head_.find("\r\n", from) - from);
}

}  // namespace cloister
