#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "client/connection.h"

namespace cloister {

inline constexpr std::size_t kLocalHeadBytesMax = 16 * 1024;

/// A local client's request that may go to the server.
struct LocalRequest {
  ClientRequest request;  ///< as the server gets it: its own path, end-to-end headers alone
  /// How many bytes of body follow; nothing for a chunked one.
  std::optional<std::uint64_t> body_bytes = 0;
  bool expects_continue = false;
  bool close = false;  ///< the client ends the connection after this request
};

/// Why the proxy itself turns a request away.
struct LocalRefusal {
  int status = 400;
  Code code = Code::invalid;
  std::string text;  ///< never quotes the request
};

/// Judges one complete request head, which ends with an empty line. `own_names`: the values of
/// Host that mean this proxy, in lower case. Refused are: another Host (a name that was made to
/// point here), any Origin, Referer or Sec-Fetch-Site but `none` (a web page), a target that is no
/// plain path or not below /v2, and what the server's own reader refuses. What is accepted is
/// written anew from its parts, so that two readers cannot disagree about it.
/// Source: RFC 9110, 7.2 and 7.6.1; RFC 9112, 3.2; W3C Fetch Metadata.
std::variant<LocalRequest, LocalRefusal> read_local_request(
    Bytes head, const std::vector<std::string>& own_names);

}  // namespace cloister
