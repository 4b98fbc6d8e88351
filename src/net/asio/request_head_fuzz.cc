// Property: what is accepted keeps the promises of HttpRequestHead, whatever the bytes were.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "net/request_head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const ListenerSettings limits;
  const auto result = parse_request_head(std::as_bytes(std::span(data, size)), limits);
  const ParsedHead* parsed = std::get_if<ParsedHead>(&result);
  if (parsed == nullptr) {
    const int status = std::get<HttpRefusal>(result).status;
    CLOISTER_CHECK(status >= 400 && status < 500);
    return 0;
  }
  const HttpRequestHead& head = parsed->head;
  CLOISTER_CHECK(size <= limits.header_bytes_max);
  CLOISTER_CHECK(head.headers.size() <= limits.headers_max);
  CLOISTER_CHECK(head.path.starts_with('/') && head.path.size() <= limits.target_bytes_max);
  CLOISTER_CHECK((head.path + "/").find("/../") == head.path.npos);
  CLOISTER_CHECK((head.path + "/").find("/./") == head.path.npos);
  CLOISTER_CHECK(std::all_of(head.path.begin(), head.path.end(),
                             [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; }));
  CLOISTER_CHECK(!parsed->chunked || !head.content_length);
  CLOISTER_CHECK(head.has_body == (parsed->chunked || head.content_length.value_or(0) > 0));
  for (const HttpHeader& each : head.headers) {
    CLOISTER_CHECK(!each.name.empty() && each.value.find_first_of("\r\n") == each.value.npos);
    CLOISTER_CHECK(std::count_if(head.headers.begin(), head.headers.end(), [&](const auto& other) {
                     return other.name == each.name;
                   }) == 1);
  }
  return 0;
}
