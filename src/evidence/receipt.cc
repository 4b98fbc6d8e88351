#include "evidence/receipt.h"

#include <algorithm>
#include <utility>

#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::uint64_t kSign1Tag = 18;        // RFC 9052, 2
constexpr std::int64_t kAlgorithmHeader = 1;   // RFC 9052, 3.1
constexpr std::int64_t kKeyIdHeader = 4;       // RFC 9052, 3.1
constexpr std::int64_t kEs256 = -7;            // RFC 9053, 2.1
constexpr std::uint64_t kStatementFormat = 1;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kSpkiBytesMax = 128;
constexpr std::int64_t kTimeMax = 1LL << 40;

Error malformed() { return Error{Code::corrupt, "receipt.malformed"}; }

ByteVector protected_header(Bytes spki) {
  return encode_cbor(CborValue::of_map(
      {{CborValue::of_integer(kAlgorithmHeader), CborValue::of_integer(kEs256)},
       {CborValue::of_integer(kKeyIdHeader), CborValue::of_bytes(spki)}}));
}

/// Sig_structure of RFC 9052, 4.4, without external data.
ByteVector to_be_signed(Bytes header, Bytes payload) {
  return encode_cbor(CborValue::of_array({CborValue::of_text("Signature1"),
                                          CborValue::of_bytes(header), CborValue::of_bytes({}),
                                          CborValue::of_bytes(payload)}));
}

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

/// The key of a protected header that is ours to the byte.
Result<ByteVector> read_header(Bytes header) {
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(header, CborOrder::sorted));
  if (map.entries().size() != 2) return malformed();
  const auto spki = map.entries()[1].value.bytes();
  if (!spki || spki->size() > kSpkiBytesMax) return malformed();
  if (!std::ranges::equal(protected_header(*spki), header)) return malformed();
  return copy_of(*spki);
}

}  // namespace

Result<ByteVector> write_receipt(const ReceiptStatement& statement, const SigningKey& key) {
  if (statement.nonce.size() > kReceiptNonceBytesMax) {
    return Error{Code::invalid, "receipt.nonce"};
  }
  const ByteVector header = protected_header(key.spki());
  const ByteVector payload = write_statement(statement);
  CLOISTER_ASSIGN(const ByteVector signature, key.sign(to_be_signed(header, payload)));
  return encode_cbor(CborValue::of_tag(
      kSign1Tag, CborValue::of_array({CborValue::of_bytes(header), CborValue::of_map({}),
                                      CborValue::of_bytes(payload),
                                      CborValue::of_bytes(signature)})));
}

Result<Receipt> Receipt::read(Bytes encoded) {
  if (encoded.size() > kReceiptBytesMax) return Error{Code::too_large, "receipt.size"};
  CLOISTER_ASSIGN(const CborValue value, decode_cbor(encoded, CborOrder::sorted));
  const CborTagged* tagged = value.tagged();
  if (tagged == nullptr || tagged->tag != kSign1Tag) return malformed();
  const auto& parts = tagged->value.items();
  const bool shaped = parts.size() == 4 && parts[0].bytes() && parts[1].is_map() &&
                      parts[1].entries().empty() && parts[2].bytes() && parts[3].bytes() &&
                      parts[3].bytes()->size() == kSignatureBytes;
  if (!shaped) return malformed();
  Receipt receipt;
  CLOISTER_ASSIGN(receipt.spki_, read_header(*parts[0].bytes()));
  receipt.key_digest_ = sha256(receipt.spki_);
  const Bytes payload = *parts[2].bytes();
  CLOISTER_ASSIGN(receipt.statement_, read_statement(payload));
  // What is stated is all that is signed: no member that a reader would pass over.
  if (!std::ranges::equal(write_statement(receipt.statement_), payload)) return malformed();
  receipt.to_be_signed_ = to_be_signed(*parts[0].bytes(), payload);
  receipt.signature_ = copy_of(*parts[3].bytes());
  return receipt;
}

Status Receipt::verify(const Sha256Digest& attested_key) const {
  if (attested_key != key_digest_) return Error{Code::unverified, "receipt.key"};
  const auto key = PublicKey::from_spki(spki_);
  if (!key.ok()) return Error{Code::unverified, "receipt.spki"};
  return key.value().verify(SignatureScheme::ecdsa_p256_sha256_raw, to_be_signed_, signature_);
}

}  // namespace cloister
