#pragma once

#include <string_view>

#include "support/bare_tls.h"

namespace cloister {

/// One keep-alive connection that HTTP requests are sent over, one at a time. Any answer but 200
/// ends the program, as every failure does.
class KeepAlive {
 public:
  /// Answers have at most `answer_bytes_max` bytes, their heads included.
  KeepAlive(std::uint16_t port, std::size_t answer_bytes_max)
      : connection_(BareTls::connect(port)), room_(answer_bytes_max) {}

  /// Sends a whole request and takes the whole answer, whose length stands in its head.
  void ask(Bytes request);

  /// Of the last answer, until the next one: everything before the empty line, and all after it.
  std::string_view head() const noexcept { return head_; }
  Bytes body() const noexcept { return body_; }
  /// The value of a header in the last answer, `name` as it is sent; empty where it is not there.
  std::string_view header(std::string_view name) const noexcept;

 private:
  BareTls connection_;
  ByteVector room_;
  std::string_view head_;
  Bytes body_;
};

}  // namespace cloister
