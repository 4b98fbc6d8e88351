// Property: what may go to the server has one meaning: as it is written, the server's own reader
// takes it for the same method, the same kind of path and the same body, and it names this proxy.
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "net/request_head.h"
#include "proxy/local_request.h"

namespace {

using namespace cloister;

const std::vector<std::string> kNames{"localhost:8000", "127.0.0.1:8000"};

std::string written(const ClientRequest& request) {
  std::string text = request.method + ' ' + request.target;
  text += " HTTP/1.1\r\nhost: localhost:8000\r\n";
  for (const ClientHeader& each : request.headers) text += each.name + ": " + each.value + "\r\n";
  return text + "\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  if (size > kLocalHeadBytesMax) return 0;
  const auto first = read_local_request(input, kNames);
  if (const LocalRefusal* refusal = std::get_if<LocalRefusal>(&first)) {
    CLOISTER_CHECK(refusal->status >= 400 && refusal->status <= 599 && !refusal->text.empty());
    return 0;
  }
  const ClientRequest& request = std::get<LocalRequest>(first).request;
  CLOISTER_CHECK(request.target == "/v2" || request.target.starts_with("/v2/") ||
                 request.target.starts_with("/v2?"));
  for (const ClientHeader& each : request.headers) {
    CLOISTER_CHECK(each.name != "host" && each.name != "content-length" &&
                   each.name != "transfer-encoding" && each.name != "origin");
  }
  ListenerSettings limits;
  limits.header_bytes_max = 4 * kLocalHeadBytesMax;
  limits.target_bytes_max = 4 * limits.target_bytes_max;
  const auto again = parse_request_head(bytes_of(written(request)), limits);
  const ParsedHead* parsed = std::get_if<ParsedHead>(&again);
  CLOISTER_CHECK(parsed != nullptr && !parsed->head.has_body);
  CLOISTER_CHECK(parsed->head.headers.size() == request.headers.size() + 1);
  return 0;
}
