#include "net/request_head.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <string>
#include <string_view>

namespace cloister {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

constexpr std::size_t kMethodBytesMax = 32;

// Headers whose repeat could mean two things to two readers; every other repeat is joined with
// commas (RFC 9110, 5.3).
constexpr std::array<std::string_view, 14> kOnceOnly = {
    "authorization", "content-digest",   "content-encoding", "content-length",
    "content-range", "content-type",     "date",             "expect",
    "from",          "host",             "inference-header-content-length",
    "max-forwards",  "transfer-encoding", "user-agent"};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(), [](char c) { return lower(c); });
  return copy;
}

bool printable(char c) noexcept { return c >= 0x20 && c < 0x7f; }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The path of a target, decoded once, or nothing where decoding or segments could be read in two
/// ways: a slash or backslash behind a percent sign, `.` and `..`, control bytes, non-ASCII.
std::optional<std::string> decode_path(std::string_view raw) {
  std::string path;
  path.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (i + 2 >= raw.size()) return std::nullopt;
      const int high = hex_digit(raw[i + 1]);
      const int low = hex_digit(raw[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      if (c == '/') return std::nullopt;
      i += 2;
    }
    if (!printable(c) || c == '\\') return std::nullopt;
    path += c;
  }
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment == "." || segment == "..") return std::nullopt;
    rest.remove_prefix(segment.size());
  }
  return path;
}

std::optional<HttpMethod> method_of(http::verb verb) noexcept {
  switch (verb) {
    case http::verb::get: return HttpMethod::get;
    case http::verb::head: return HttpMethod::head;
    case http::verb::put: return HttpMethod::put;
    case http::verb::post: return HttpMethod::post;
    case http::verb::delete_: return HttpMethod::delete_;
    case http::verb::options: return HttpMethod::options;
    default: return std::nullopt;
  }
}

/// Beast's events, gathered into our head without its header container.
class HeadParser final : public http::basic_parser<true> {
 public:
  explicit HeadParser(const ListenerSettings& limits) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    body_limit(boost::none);
  }
  HeadParser(const HeadParser&) = delete;
  HeadParser& operator=(const HeadParser&) = delete;
  ~HeadParser() { forget_credential(parsed_.head); }  // of a head that was refused

  std::variant<ParsedHead, HttpRefusal> parse(Bytes text) {
    error_code error;
    const std::size_t used = put(boost::asio::buffer(text.data(), text.size()), error);
    if (refusal_) return *refusal_;
    if (error == http::error::header_limit) return too_large();
    if (error && error != http::error::need_more) return malformed();
    if (!is_header_done() || used != text.size()) return malformed();
    return finish();
  }

 private:
  static HttpRefusal malformed() { return {400, Code::invalid, "malformed request head"}; }
  static HttpRefusal too_large() { return {431, Code::too_large, "request head too large"}; }

  void refuse(HttpRefusal refusal, error_code& error) {
    refusal_ = refusal;
    error = http::error::bad_value;  // any error ends the parsing; refusal_ is what counts
  }

  void on_request_impl(http::verb verb, BeastText name, BeastText target, int version,
                       error_code& error) override {
    if (name.size() > kMethodBytesMax) return refuse(malformed(), error);
    if (version != 10 && version != 11) {
      return refuse({400, Code::unsupported, "only HTTP/1.1 is served"}, error);
    }
    old_version_ = version == 10;
    const auto method = method_of(verb);
    if (!method) return refuse({405, Code::unsupported, "method not served"}, error);
    if (target.size() > limits_.target_bytes_max) {
      return refuse({414, Code::too_large, "request target too long"}, error);
    }
    parsed_.head.method = *method;
    if (!take_target({target.data(), target.size()})) {
      refuse({400, Code::invalid, "malformed request target"}, error);
    }
  }

  bool take_target(std::string_view target) {
    for (const std::string_view scheme : {"https://", "http://"}) {
      if (!target.starts_with(scheme)) continue;
      target.remove_prefix(std::min(target.find('/', scheme.size()), target.size()));
      if (target.empty()) target = "/";
      break;
    }
    if (!target.starts_with('/') || target.find('#') != target.npos) return false;
    if (!std::all_of(target.begin(), target.end(), printable)) return false;
    const std::size_t question = target.find('?');
    auto path = decode_path(target.substr(0, question));
    if (!path) return false;
    parsed_.head.path = std::move(*path);
    if (question != target.npos) parsed_.head.query = target.substr(question + 1);
    return true;
  }

  void on_field_impl(http::field, BeastText name, BeastText value, error_code& error) override {
    if (++fields_ > limits_.headers_max) {
      return refuse({431, Code::too_large, "too many headers"}, error);
    }
    const bool clean = std::all_of(value.begin(), value.end(),
                                   [](char c) { return printable(c) || c == '\t'; });
    if (!clean) return refuse({400, Code::invalid, "header value outside ASCII"}, error);
    std::string key = lower({name.data(), name.size()});
    auto& headers = parsed_.head.headers;
    const auto known = std::find_if(headers.begin(), headers.end(),
                                    [&](const HttpHeader& each) { return each.name == key; });
    if (known == headers.end()) {
      headers.push_back({std::move(key), std::string(value.data(), value.size())});
      return;
    }
    if (std::find(kOnceOnly.begin(), kOnceOnly.end(), key) != kOnceOnly.end()) {
      return refuse({400, Code::invalid, "a header is repeated that may stand once"}, error);
    }
    known->value.append(", ").append(value.data(), value.size());
  }

  std::variant<ParsedHead, HttpRefusal> finish() {
    HttpRequestHead& head = parsed_.head;
    if (!old_version_ && !head.header("host")) {
      return HttpRefusal{400, Code::invalid, "the Host header is missing"};
    }
    parsed_.chunked = chunked();
    if (const auto coding = head.header("transfer-encoding")) {
      if (old_version_ || lower(*coding) != "chunked") {
        return HttpRefusal{400, Code::unsupported, "transfer encoding not served"};
      }
    }
    if (const auto text = head.header("content-length")) {
      // Beast takes a list of equal lengths for one length; another reader might not.
      const auto length = content_length();
      if (!length || text->find_first_not_of("0123456789") != text->npos) return malformed();
      head.content_length = *length;
    }
    head.has_body = parsed_.chunked || head.content_length.value_or(0) > 0;
    if (const auto expectation = head.header("expect"); expectation && !old_version_) {
      if (lower(*expectation) != "100-continue") {
        return HttpRefusal{417, Code::unsupported, "expectation not served"};
      }
      parsed_.expects_continue = head.has_body;
    }
    parsed_.close = old_version_ || !keep_alive();
    return std::move(parsed_);
  }

  void on_header_impl(error_code&) override {}
  void on_response_impl(int, BeastText, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastText, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  const ListenerSettings& limits_;
  ParsedHead parsed_;
  std::optional<HttpRefusal> refusal_;
  std::size_t fields_ = 0;
  bool old_version_ = false;
};

}  // namespace

std::variant<ParsedHead, HttpRefusal> parse_request_head(Bytes text,
                                                         const ListenerSettings& limits) {
  return HeadParser(limits).parse(text);
}

}  // namespace cloister
