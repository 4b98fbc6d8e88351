#pragma once

#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "http/message.h"
#include "net/server.h"

namespace cloister {

/// Why the transport itself turns a request away. The text is a literal of ours: it never quotes
/// the request.
struct HttpRefusal {
  int status;
  Code code;
  Place text;
};

/// A head that was accepted, and what the transport needs to know of it beside the handler.
struct ParsedHead {
  HttpRequestHead head;          ///< `connection` is left for the transport to fill in
  bool chunked = false;          ///< the body comes in chunks
  bool expects_continue = false; ///< the sender waits for "100 Continue" before the body
  bool close = false;            ///< the sender ends the connection after this request
};

/// Reads one complete request head, which ends with an empty line and is at most
/// `limits.header_bytes_max` long. Beast splits it; what is accepted is stricter than Beast:
/// one length only, no repeat of a header that means one thing, no bytes outside ASCII, a path
/// that says the same before and after decoding.
/// Source: RFC 9112, 2 to 6; RFC 9110, 5.3 and 10.1.1; docs/wire-api.md, "Limits".
std::variant<ParsedHead, HttpRefusal> parse_request_head(Bytes text,
                                                         const ListenerSettings& limits);

}  // namespace cloister
