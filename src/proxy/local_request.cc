#include "proxy/local_request.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "client/session.h"
#include "net/request_head.h"

namespace cloister {
namespace {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kTargetBytesMax = 2048;

// What concerns one connection, or is written anew.
constexpr std::array<std::string_view, 12> kNotForwarded = {
    "connection", "content-length",   "expect",           "host",
    "keep-alive", "proxy-connection", "proxy-authorization", "te",
    "trailer",    "transfer-encoding", "upgrade",          "http2-settings"};

std::string lower(std::string_view text) {
  std::string copy(text);
  std::ranges::transform(copy, copy.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return copy;
}

std::string_view name_of(HttpMethod method) noexcept {
  switch (method) {
    case HttpMethod::get: return "GET";
    case HttpMethod::head: return "HEAD";
    case HttpMethod::put: return "PUT";
    case HttpMethod::post: return "POST";
    case HttpMethod::delete_: return "DELETE";
    case HttpMethod::options: return "OPTIONS";
  }
  return "";
}

/// What comes between the method and the version, as received.
std::string_view target_of(std::string_view head) noexcept {
  const std::size_t begin = head.find(' ');
  if (begin == head.npos) return "";
  head.remove_prefix(begin + 1);
  return head.substr(0, head.find(' '));
}

std::optional<LocalRefusal> judge_sender(const HttpRequestHead& head,
                                         const std::vector<std::string>& own_names) {
  const std::string host = lower(head.header("host").value_or(""));
  if (std::ranges::find(own_names, host) == own_names.end()) {
    return LocalRefusal{403, Code::denied,
                        "the Host header does not name this proxy: use the address it printed"};
  }
  const bool is_from_a_page = head.header("origin") || head.header("referer") ||
                              head.header("sec-fetch-site").value_or("none") != "none";
  if (is_from_a_page) {
    return LocalRefusal{403, Code::denied, "web pages may not use this proxy"};
  }
  return std::nullopt;
}

/// The path with every segment encoded anew, and the query as it came.
std::string target_from(const HttpRequestHead& head) {
  std::string target;
  std::string_view rest = head.path;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view segment = rest.substr(0, rest.find('/'));
    target += '/' + percent_encoded(segment);
    rest.remove_prefix(segment.size());
  }
  if (!head.query.empty()) target += '?' + head.query;
  return target;
}

/// The names that the sender's Connection header keeps for this connection.
std::vector<std::string> connection_options(const HttpRequestHead& head) {
  std::vector<std::string> names;
  const std::string value = lower(head.header("connection").value_or(""));
  std::string_view rest = value;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view name = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    while (name.starts_with(' ') || name.starts_with('\t')) name.remove_prefix(1);
    while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
    names.emplace_back(name);
  }
  return names;
}

std::vector<ClientHeader> forwarded_headers(HttpRequestHead& head) {
  const std::vector<std::string> options = connection_options(head);
  std::vector<ClientHeader> headers;
  for (HttpHeader& each : head.headers) {
    const bool stays = std::ranges::find(kNotForwarded, each.name) != kNotForwarded.end() ||
                       std::ranges::find(options, each.name) != options.end();
    if (stays) continue;
    std::ranges::replace(each.value, '\t', ' ');
    headers.push_back({std::move(each.name), std::move(each.value)});
  }
  return headers;
}

}  // namespace

std::variant<LocalRequest, LocalRefusal> read_local_request(
    Bytes head_text, const std::vector<std::string>& own_names) {
  ListenerSettings limits;
  limits.header_bytes_max = kLocalHeadBytesMax;
  limits.headers_max = kHeadersMax;
  limits.target_bytes_max = kTargetBytesMax;
  auto read = parse_request_head(head_text, limits);
  if (const HttpRefusal* refusal = std::get_if<HttpRefusal>(&read)) {
    return LocalRefusal{refusal->status, refusal->code, refusal->text.text};
  }
  ParsedHead& parsed = std::get<ParsedHead>(read);
  HttpRequestHead& head = parsed.head;
  if (auto refusal = judge_sender(head, own_names)) return std::move(*refusal);
  if (!target_of(text_of(head_text)).starts_with('/')) {
    return LocalRefusal{400, Code::invalid, "this proxy leads to one server: ask for a plain path"};
  }
  if (head.path != "/v2" && !head.path.starts_with("/v2/")) {
    return LocalRefusal{404, Code::not_found, "only paths below /v2 are served here"};
  }
  LocalRequest request;
  request.request.method = name_of(head.method);
  request.request.target = target_from(head);
  request.body_bytes = parsed.chunked ? std::nullopt
                                      : std::optional(head.content_length.value_or(0));
  request.expects_continue = parsed.expects_continue;
  request.close = parsed.close;
  request.request.headers = forwarded_headers(head);
  return request;
}

}  // namespace cloister
