#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/connection.h"

namespace cloister {

/// The value of the Host header for `url`.
std::string host_header(const ServerUrl& url);

/// The head of a request as it is sent; with `expect: 100-continue` where more than
/// kUnaskedBytesMax bytes or an unknown number of them (nothing in `body_bytes`) follow.
/// Fails: `invalid` for a character that could end a line or a target.
Result<std::string> request_text(const ClientRequest& request, const std::string& host,
                                 std::optional<std::uint64_t> body_bytes);

}  // namespace cloister
