#include "evidence/receipt.h"

#include <algorithm>
#include <utility>

#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::uint64_t kStatementFormat = 1;
constexpr std::int64_t kTimeMax = 1LL << 40;

Error malformed() { return Error{Code::corrupt, "receipt.malformed"}; }

ByteVector write_statement(const ReceiptStatement& statement) {
  std::vector<CborEntry> map;
  const auto add = [&map](const char* key, CborValue value) {
    map.push_back({CborValue::of_text(key), std::move(value)});
  };
  add("format", CborValue::of_unsigned(kStatementFormat));
  add("model", CborValue::of_bytes(statement.model));
  add("version", CborValue::of_unsigned(statement.version));
  add("request", CborValue::of_bytes(statement.request));
  add("response", CborValue::of_bytes(statement.response));
  add("nonce", CborValue::of_bytes(statement.nonce));
  add("time", CborValue::of_integer(statement.time.time_since_epoch().count()));
  add("compute-us", CborValue::of_unsigned(statement.compute_us));
  add("epoch", CborValue::of_unsigned(statement.epoch));
  add("configuration", CborValue::of_bytes(statement.configuration));
  add("certificate", CborValue::of_bytes(statement.certificate));
  return encode_cbor(CborValue::of_map(std::move(map)));
}

Status read_digest(const CborValue& map, const char* key, Sha256Digest& out) {
  const CborValue* value = map.find(key);
  const auto bytes = value == nullptr ? std::nullopt : value->bytes();
  if (!bytes || bytes->size() != out.size()) return malformed();
  std::ranges::copy(*bytes, out.begin());
  return Done{};
}

Status read_number(const CborValue& map, const char* key, std::uint64_t& out) {
  const CborValue* value = map.find(key);
  const auto number = value == nullptr ? std::nullopt : value->unsigned_integer();
  if (!number) return malformed();
  out = *number;
  return Done{};
}

Result<ReceiptStatement> read_statement(Bytes payload) {
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(payload, CborOrder::sorted));
  ReceiptStatement statement;
  std::uint64_t format = 0;
  CLOISTER_TRY(read_number(map, "format", format));
  if (format != kStatementFormat) return malformed();
  CLOISTER_TRY(read_digest(map, "model", statement.model));
  CLOISTER_TRY(read_number(map, "version", statement.version));
  CLOISTER_TRY(read_digest(map, "request", statement.request));
  CLOISTER_TRY(read_digest(map, "response", statement.response));
  const CborValue* nonce = map.find("nonce");
  if (nonce == nullptr || !nonce->bytes() || nonce->bytes()->size() > kReceiptNonceBytesMax) {
    return malformed();
  }
  statement.nonce = copy_of(*nonce->bytes());
  const CborValue* time = map.find("time");
  const auto seconds = time == nullptr ? std::nullopt : time->integer();
  if (!seconds || *seconds < -kTimeMax || *seconds > kTimeMax) return malformed();
  statement.time = UtcSeconds(std::chrono::seconds(*seconds));
  CLOISTER_TRY(read_number(map, "compute-us", statement.compute_us));
  CLOISTER_TRY(read_number(map, "epoch", statement.epoch));
  CLOISTER_TRY(read_digest(map, "configuration", statement.configuration));
  CLOISTER_TRY(read_digest(map, "certificate", statement.certificate));
  return statement;
}

}  // namespace

Result<ByteVector> write_receipt(const ReceiptStatement& statement, const SigningKey& key) {
  if (statement.nonce.size() > kReceiptNonceBytesMax) {
    return Error{Code::invalid, "receipt.nonce"};
  }
  return SignedPayload::write("", write_statement(statement), key);
}

Result<Receipt> Receipt::read(Bytes encoded) {
  CLOISTER_ASSIGN(SignedPayload signed_payload, SignedPayload::read(encoded, kReceiptBytesMax));
  if (!signed_payload.content_type().empty()) return malformed();
  CLOISTER_ASSIGN(ReceiptStatement statement, read_statement(signed_payload.payload()));
  // What is stated is all that is signed: no member that a reader would pass over.
  if (write_statement(statement) != signed_payload.payload()) return malformed();
  return Receipt(std::move(signed_payload), std::move(statement));
}

}  // namespace cloister
