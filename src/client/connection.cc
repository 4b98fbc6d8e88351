#include "client/connection.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace cloister {

std::optional<std::string_view> ClientResponse::header(std::string_view name) const noexcept {
  for (const ClientHeader& each : headers) {
    if (each.name == name) return each.value;
  }
  return std::nullopt;
}

Result<ServerUrl> parse_server_url(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  constexpr std::size_t kHostMax = 255;
  const Error invalid{Code::invalid, "client.url",
                      Detail("expected https://HOST or https://HOST:PORT")};
  if (!url.starts_with(kScheme)) return invalid;
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  ServerUrl parsed;
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == std::string_view::npos) return invalid;
    parsed.host = url.substr(1, end - 1);
    url.remove_prefix(end + 1);
  } else {
    const std::size_t end = std::min(url.find(':'), url.size());
    parsed.host = url.substr(0, end);
    url.remove_prefix(end);
  }
  constexpr std::string_view kHostCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:";
  const bool is_host = !parsed.host.empty() && parsed.host.size() <= kHostMax &&
                       parsed.host.find_first_not_of(kHostCharacters) == std::string::npos;
  if (!is_host) return invalid;
  if (url.empty()) return parsed;
  if (url.front() != ':') return invalid;
  url.remove_prefix(1);
  const auto port = std::from_chars(url.data(), url.data() + url.size(), parsed.port);
  const bool is_whole = port.ec == std::errc{} && port.ptr == url.data() + url.size();
  if (!is_whole || parsed.port == 0) return invalid;
  return parsed;
}

}  // namespace cloister
