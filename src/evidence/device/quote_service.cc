#include "evidence/device/quote_service.h"

#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "encoding/base64.h"
#include "encoding/json.h"
#include "evidence/platform.h"

namespace cloister {
namespace {

constexpr std::uint16_t kMajorVersion = 1;
constexpr std::uint32_t kQuoteRequest = 0;
constexpr std::uint32_t kQuoteResponse = 1;
constexpr std::uint32_t kMessageHeaderBytes = 16;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

Error malformed() { return Error{Code::corrupt, "quote.answer"}; }

/// Whether as much is there as the length in front says.
bool is_whole_message(Bytes answer) {
  ByteReader reader(answer);
  const auto size = reader.u32_be();
  return size.ok() && reader.remaining() >= size.value();
}

Result<ByteVector> quote_in_message(Bytes answer) {
  ByteReader reader(answer);
  CLOISTER_ASSIGN(const std::uint32_t length, reader.u32_be());
  CLOISTER_ASSIGN(const std::uint16_t version, reader.u16_le());
  CLOISTER_TRY(reader.skip(2));  // the minor version
  CLOISTER_ASSIGN(const std::uint32_t type, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t error, reader.u32_le());
  if (version != kMajorVersion || type != kQuoteResponse || size != length) return malformed();
  if (error != 0) return Error{Code::io, "quote.service"};
  CLOISTER_ASSIGN(const std::uint32_t id_size, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t quote_size, reader.u32_le());
  CLOISTER_TRY(reader.skip(id_size));
  CLOISTER_ASSIGN(const Bytes quote, reader.take(quote_size));
  if (quote.empty() || !reader.empty()) return malformed();
  return copy_of(quote);
}

bool never(Bytes) { return false; }

/// The "quote" of a JSON body behind a response's head.
Result<ByteVector> quote_in_response(Bytes answer) {
  const std::string_view text = text_of(answer);
  const std::size_t head = text.find(kHeadEnd);
  if (!text.starts_with("HTTP/1.") || head == std::string_view::npos || text.size() < 12) {
    return malformed();
  }
  if (text.substr(8, 4) != " 200") return Error{Code::io, "quote.service"};
  const auto body = parse_json(text.substr(head + kHeadEnd.size()), {kEvidenceBytesMax, 4, 64});
  if (!body.ok()) return malformed();
  const JsonValue* member = body.value().find("quote");
  const auto encoded = member == nullptr ? std::nullopt : member->text();
  if (!encoded) return malformed();
  std::string_view unpadded = *encoded;
  while (unpadded.ends_with('=')) unpadded.remove_suffix(1);
  CLOISTER_ASSIGN(ByteVector quote, base64url_decode(unpadded));
  if (quote.empty()) return malformed();
  return quote;
}

}  // namespace

QuoteService quote_generation_service(Exchange exchange) {
  return [exchange = std::move(exchange)](Bytes td_report) -> Result<ByteVector> {
    const auto size =
        static_cast<std::uint32_t>(kMessageHeaderBytes + 2 * sizeof(std::uint32_t) +
                                   td_report.size());
    ByteWriter message;
    message.u32_be(size);
    message.u16_le(kMajorVersion);
    message.u16_le(0);
    message.u32_le(kQuoteRequest);
    message.u32_le(size);
    message.u32_le(0);  // an error's place
    message.u32_le(static_cast<std::uint32_t>(td_report.size()));
    message.u32_le(0);  // no list of attestation keys: the service's default
    message.bytes(td_report);
    CLOISTER_ASSIGN(const ByteVector answer, exchange(message.view(), is_whole_message));
    return quote_in_message(answer);
  };
}

QuoteService azure_quote_service(Exchange exchange) {
  return [exchange = std::move(exchange)](Bytes td_report) -> Result<ByteVector> {
    const std::string body = "{\"report\":\"" + base64url_encode(td_report) + "\"}";
    const std::string request =
        "POST /acc/tdquote HTTP/1.0\r\nHost: 169.254.169.254\r\nMetadata: true\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    CLOISTER_ASSIGN(const ByteVector answer, exchange(bytes_of(request), never));
    return quote_in_response(answer);
  };
}

}  // namespace cloister
