#include "api/routes.h"

#include <array>
#include <charconv>

namespace cloister {
namespace {

constexpr std::size_t kSegmentsMax = 8;
constexpr std::size_t kQueryParametersMax = 64;

/// One route: segments after `/v2`, where `{m}`, `{v}`, `{p}` and `{a}` stand for a name or a
/// number.
struct Pattern {
  HttpMethod method;
  std::string_view path;
  RouteKind kind;
};

constexpr std::array kPatterns{
    Pattern{HttpMethod::get, "", RouteKind::server},
    Pattern{HttpMethod::get, "/openapi.json", RouteKind::openapi},
    Pattern{HttpMethod::get, "/health/live", RouteKind::live},
    Pattern{HttpMethod::get, "/health/ready", RouteKind::ready},
    Pattern{HttpMethod::get, "/attestation", RouteKind::attestation},
    Pattern{HttpMethod::get, "/models", RouteKind::list_models},
    Pattern{HttpMethod::get, "/models/stats", RouteKind::statistics},
    Pattern{HttpMethod::get, "/models/{m}", RouteKind::describe},
    Pattern{HttpMethod::get, "/models/{m}/versions/{v}", RouteKind::describe},
    Pattern{HttpMethod::put, "/models/{m}/versions/{v}", RouteKind::upload},
    Pattern{HttpMethod::delete_, "/models/{m}/versions/{v}", RouteKind::erase},
    Pattern{HttpMethod::get, "/models/{m}/config", RouteKind::config},
    Pattern{HttpMethod::get, "/models/{m}/versions/{v}/config", RouteKind::config},
    Pattern{HttpMethod::get, "/models/{m}/stats", RouteKind::statistics},
    Pattern{HttpMethod::get, "/models/{m}/versions/{v}/stats", RouteKind::statistics},
    Pattern{HttpMethod::get, "/models/{m}/ready", RouteKind::model_ready},
    Pattern{HttpMethod::get, "/models/{m}/versions/{v}/ready", RouteKind::model_ready},
    Pattern{HttpMethod::post, "/models/{m}/infer", RouteKind::infer},
    Pattern{HttpMethod::post, "/models/{m}/versions/{v}/infer", RouteKind::infer},
    Pattern{HttpMethod::post, "/repository/index", RouteKind::index},
    Pattern{HttpMethod::post, "/repository/models/{m}/load", RouteKind::load},
    Pattern{HttpMethod::post, "/repository/models/{m}/unload", RouteKind::unload},
    Pattern{HttpMethod::post, "/principals/{p}/tokens", RouteKind::mint_token},
    Pattern{HttpMethod::delete_, "/principals/{p}/tokens", RouteKind::revoke_tokens},
    Pattern{HttpMethod::get, "/principals", RouteKind::list_principals},
    Pattern{HttpMethod::post, "/principals", RouteKind::create_principal},
    Pattern{HttpMethod::delete_, "/principals/{p}", RouteKind::remove_principal},
    Pattern{HttpMethod::get, "/principals/{p}/quota", RouteKind::quota},
    Pattern{HttpMethod::put, "/principals/{p}/quota", RouteKind::set_quota},
    Pattern{HttpMethod::put, "/principals/{p}/certificate", RouteKind::set_certificate},
    Pattern{HttpMethod::delete_, "/principals/{p}/certificate", RouteKind::drop_certificate},
    Pattern{HttpMethod::get, "/authorities", RouteKind::list_authorities},
    Pattern{HttpMethod::put, "/authorities/{a}", RouteKind::add_authority},
    Pattern{HttpMethod::delete_, "/authorities/{a}", RouteKind::drop_authority},
    Pattern{HttpMethod::get, "/models/{m}/grants", RouteKind::list_grants},
    Pattern{HttpMethod::put, "/models/{m}/grants", RouteKind::give_grant},
    Pattern{HttpMethod::delete_, "/models/{m}/grants", RouteKind::take_back_grant},
    Pattern{HttpMethod::get, "/usage", RouteKind::usage},
    Pattern{HttpMethod::get, "/audit", RouteKind::audit},
    Pattern{HttpMethod::get, "/audit/server", RouteKind::server_audit},
};

/// Takes the next `/segment` off `rest`.
std::optional<std::string_view> next_segment(std::string_view& rest) {
  if (rest.empty() || rest.front() != '/') return std::nullopt;
  rest.remove_prefix(1);
  const std::size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  return segment;
}

/// 1 to kVersionNumberMax in plain digits, without leading zeros.
std::optional<VersionNumber> version_number(std::string_view text) {
  if (text.empty() || text.front() == '0') return std::nullopt;
  VersionNumber number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number.value > kVersionNumberMax) return std::nullopt;
  return number;
}

std::optional<Route> match_pattern(const Pattern& pattern, std::string_view path) {
  Route route{pattern.kind, {}, {}};
  std::string_view wanted = pattern.path;
  for (std::size_t i = 0; i < kSegmentsMax; ++i) {
    if (wanted.empty() || path.empty()) break;
    const auto expected = next_segment(wanted);
    const auto got = next_segment(path);
    if (!expected || !got) return std::nullopt;
    if (*expected == "{m}" || *expected == "{p}" || *expected == "{a}") {
      if (got->empty()) return std::nullopt;
      route.name = *got;
    } else if (*expected == "{v}") {
      route.version = version_number(*got);
      if (!route.version) return std::nullopt;
    } else if (*expected != *got) {
      return std::nullopt;
    }
  }
  if (!wanted.empty() || !path.empty()) return std::nullopt;
  return route;
}

std::string_view allow_of(HttpMethod method) {
  switch (method) {
    case HttpMethod::get: return "GET, HEAD";
    case HttpMethod::put: return "PUT";
    case HttpMethod::post: return "POST";
    case HttpMethod::delete_: return "DELETE";
    case HttpMethod::head:
    case HttpMethod::options: break;
  }
  return "GET, HEAD";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return Error{Code::invalid, "query.escape", Detail("the query has a bad % escape")};
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string_view name_of(HttpMethod method) {
  switch (method) {
    case HttpMethod::put: return "PUT";
    case HttpMethod::post: return "POST";
    case HttpMethod::delete_: return "DELETE";
    default: return "GET";
  }
}

}  // namespace

std::vector<ServedRoute> served_routes() {
  std::vector<ServedRoute> routes;
  for (const Pattern& each : kPatterns) routes.push_back({name_of(each.method), each.path});
  return routes;
}

RouteMatch match_route(HttpMethod method, std::string_view path) {
  if (method == HttpMethod::head) method = HttpMethod::get;
  if (!path.starts_with("/v2")) return NoRoute{};
  path.remove_prefix(3);
  if (path == "/") path = "";
  std::optional<WrongMethod> other;
  for (const Pattern& pattern : kPatterns) {
    auto route = match_pattern(pattern, path);
    if (!route) continue;
    if (pattern.method == method) return std::move(*route);
    if (!other) other.emplace();
    other->allow += (other->allow.empty() ? "" : ", ") + std::string(allow_of(pattern.method));
  }
  if (other) return std::move(*other);
  return NoRoute{};
}

bool is_public(RouteKind kind) noexcept {
  return kind == RouteKind::server || kind == RouteKind::openapi || kind == RouteKind::live ||
         kind == RouteKind::ready || kind == RouteKind::attestation;
}

Result<std::vector<std::string>> query_values(std::string_view query, std::string_view key) {
  std::vector<std::string> values;
  for (std::size_t count = 0; !query.empty(); ++count) {
    if (count >= kQueryParametersMax) return Error{Code::invalid, "query.count"};
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != key) continue;
    CLOISTER_ASSIGN(auto value, percent_decoded(pair.substr(equals + 1)));
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace cloister
