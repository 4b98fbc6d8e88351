#pragma once

#include <cstdint>
#include <string>

#include "client/connection.h"

namespace cloister {

/// The value of the Host header for `url`.
std::string host_header(const ServerUrl& url);

/// The head of a request as it is sent; past kUnaskedBytesMax with `expect: 100-continue`.
/// Fails: `invalid` for a character that could end a line or a target.
Result<std::string> request_text(const ClientRequest& request, const std::string& host,
                                 std::uint64_t body_bytes);

}  // namespace cloister
