#include "client/tls/request_text.h"

#include <algorithm>

namespace cloister {
namespace {

bool is_target_character(char c) noexcept { return c > ' ' && c < '\x7f'; }
bool is_value_character(char c) noexcept { return c >= ' ' && c < '\x7f'; }

}  // namespace

std::string host_header(const ServerUrl& url) {
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + url.host + "]" : url.host;
  return url.port == 443 ? host : host + ":" + std::to_string(url.port);
}

Result<std::string> request_text(const ClientRequest& request, const std::string& host,
                                 std::optional<std::uint64_t> body_bytes) {
  if (!request.target.starts_with('/') ||
      !std::ranges::all_of(request.target, is_target_character)) {
    return Error{Code::invalid, "client.target"};
  }
  std::size_t size = 256 + request.target.size() + host.size();
  for (const ClientHeader& each : request.headers) size += each.name.size() + each.value.size() + 4;
  std::string text;
  text.reserve(size);  // grown, it would leave copies of a token behind
  text += request.method + ' ' + request.target + " HTTP/1.1\r\nhost: " + host + "\r\n";
  for (const ClientHeader& each : request.headers) {
    if (!std::ranges::all_of(each.name, is_target_character) ||
        !std::ranges::all_of(each.value, is_value_character)) {
      return Error{Code::invalid, "client.header"};
    }
    text += each.name;
    text += ": ";
    text += each.value;
    text += "\r\n";
  }
  if (body_bytes.value_or(kUnaskedBytesMax + 1) > kUnaskedBytesMax) {
    text += "expect: 100-continue\r\n";
  }
  const bool may_be_bare = request.method != "POST" && request.method != "PUT";
  if (!body_bytes) {
    text += "transfer-encoding: chunked\r\n";
  } else if (*body_bytes > 0 || !may_be_bare) {
    text += "content-length: " + std::to_string(*body_bytes) + "\r\n";
  }
  text += "\r\n";
  return text;
}

}  // namespace cloister
