#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/bare_tls.h"

namespace cloister {

/// One connection over TLS, and what is sent over it again and again. Failures end the program.
class Asked {
 public:
  /// A server that speaks HTTP/1.1: `request` is the whole request, head and body.
  static Asked server(std::uint16_t port, std::string request);
  /// The floor: `body` is sent as it is, and exactly `answer_bytes` come back.
  static Asked floor(std::uint16_t port, std::string body, std::size_t answer_bytes);

  /// Sends and waits for the whole answer. A status other than 200 ends the program.
  void ask();
  /// The last answer's body, put together where it came in chunks.
  std::string body() const;

 private:
  Asked(std::uint16_t port, std::string request, std::size_t answer_bytes);
  std::string_view received() const;
  std::size_t expected();
  std::size_t end_of_chunks(std::size_t begin);

  BareTls connection_;
  std::string request_;
  std::size_t answer_bytes_;  ///< of the floor; 0 for a server
  ByteVector room_;
  std::size_t received_ = 0;
  std::size_t chunk_ = 0;  ///< where the first chunk begins that is not there whole; 0 at first
};

}  // namespace cloister
