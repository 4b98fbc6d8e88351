#include <algorithm>
#include <charconv>
#include <system_error>

#include "proxy/local_socket.h"

namespace cloister {
namespace {

constexpr std::size_t kUnixPathMax = 107;  // sockaddr_un, unix(7)

/// An address of 127.0.0.0/8 in its usual form.
bool is_loopback(std::string_view host) {
  if (!host.starts_with("127.") || host.size() > 15) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::ranges::count(host, '.') == 3;
}

}  // namespace

Result<LocalAddress> parse_local_address(std::string_view text) {
  const Error invalid{Code::invalid, "proxy.address",
                      Detail("expected 127.0.0.1:PORT, localhost:PORT, [::1]:PORT or unix:PATH: "
                             "plain HTTP does not leave this machine")};
  constexpr std::string_view kUnix = "unix:";
  LocalAddress address;
  if (text.starts_with(kUnix)) {
    address.path = text.substr(kUnix.size());
    const bool good = !address.path.empty() && address.path.size() <= kUnixPathMax &&
                      address.path.find('\0') == std::string::npos;
    return good ? Result<LocalAddress>(std::move(address)) : invalid;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host == "localhost") {
    address.host = "127.0.0.1";
  } else if (host == "[::1]") {
    address.host = "::1";
  } else if (is_loopback(host)) {
    address.host = host;
  } else {
    return invalid;
  }
  const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
  const bool whole = read.ec == std::errc{} && read.ptr == port.data() + port.size();
  return whole ? Result<LocalAddress>(std::move(address)) : invalid;
}

}  // namespace cloister
