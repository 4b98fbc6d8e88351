#include "evidence/claims.h"

#include <algorithm>

#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::uint64_t kSha256Algorithm = 1;  // IANA, named information hash algorithms
constexpr std::size_t kTextBytesMax = 256;

Error malformed() { return Error{Code::corrupt, "claims.malformed"}; }

CborValue digest_value(const Sha256Digest& digest) { return CborValue::of_bytes(digest); }

void add_digest(std::vector<CborEntry>& map, const char* key,
                const std::optional<Sha256Digest>& digest) {
  if (digest) map.push_back({CborValue::of_text(key), digest_value(*digest)});
}

void add_text(std::vector<CborEntry>& map, const char* key,
              const std::optional<std::string>& text) {
  if (text) map.push_back({CborValue::of_text(key), CborValue::of_text(*text)});
}

void add_bytes(std::vector<CborEntry>& map, const char* key,
               const std::optional<ByteVector>& bytes) {
  if (bytes) map.push_back({CborValue::of_text(key), CborValue::of_bytes(*bytes)});
}

Result<Sha256Digest> digest_from(std::optional<Bytes> bytes) {
  Sha256Digest digest;
  if (!bytes || bytes->size() != digest.size()) return malformed();
  std::ranges::copy(*bytes, digest.begin());
  return digest;
}

/// [1, digest]: bare, or encoded once more inside a byte string as Gramine and rats-tls have it.
Result<Sha256Digest> read_pubkey_hash(const CborValue* value) {
  if (value == nullptr) return malformed();
  CborValue hash = *value;
  if (const auto encoded = value->bytes()) {
    CLOISTER_ASSIGN(hash, decode_cbor(*encoded, CborOrder::any));
  }
  if (hash.items().size() != 2 || hash.items()[0].unsigned_integer() != kSha256Algorithm) {
    return malformed();
  }
  return digest_from(hash.items()[1].bytes());
}

Status read_digest(const CborValue& map, const char* key, std::optional<Sha256Digest>& out) {
  const CborValue* value = map.find(key);
  if (value == nullptr) return Done{};
  CLOISTER_ASSIGN(out, digest_from(value->bytes()));
  return Done{};
}

Status read_text(const CborValue& map, const char* key, std::optional<std::string>& out) {
  const CborValue* value = map.find(key);
  if (value == nullptr) return Done{};
  const auto text = value->text();
  if (!text || text->size() > kTextBytesMax) return malformed();
  out = std::string(*text);
  return Done{};
}

Status read_bytes(const CborValue& map, const char* key, std::optional<ByteVector>& out) {
  const CborValue* value = map.find(key);
  if (value == nullptr) return Done{};
  const auto bytes = value->bytes();
  if (!bytes) return malformed();
  out = copy_of(*bytes);
  return Done{};
}

}  // namespace

Sha256Digest software_digest(const Sha256Digest& server, const Sha256Digest& sandbox,
                             const Sha256Digest& runtime) noexcept {
  Sha256Stream stream;
  stream.update(server);
  stream.update(sandbox);
  stream.update(runtime);
  return stream.finish();
}

Claims claims_of(const ServerFacts& facts, const Sha256Digest& pubkey_hash) {
  Claims claims;
  claims.pubkey_hash = pubkey_hash;
  claims.configuration = facts.configuration;
  claims.software = facts.software;
  claims.isolation = facts.isolation;
  claims.sandbox = facts.sandbox;
  claims.anchor = facts.anchor;
  claims.receipt_key = facts.receipt_key;
  claims.hpke_key = facts.hpke_key;
  return claims;
}

ByteVector write_claims(const Claims& claims) {
  std::vector<CborEntry> map;
  const CborValue hash = CborValue::of_array(
      {CborValue::of_unsigned(kSha256Algorithm), digest_value(claims.pubkey_hash)});
  map.push_back(
      {CborValue::of_text("pubkey-hash"), CborValue::of_bytes(encode_cbor(hash))});
  add_bytes(map, "nonce", claims.nonce);
  add_bytes(map, "tls-exporter", claims.tls_exporter);
  add_text(map, "purpose", claims.purpose);
  add_digest(map, "configuration", claims.configuration);
  add_digest(map, "software", claims.software);
  add_text(map, "isolation", claims.isolation);
  add_text(map, "sandbox", claims.sandbox);
  add_text(map, "anchor", claims.anchor);
  add_digest(map, "receipt-key", claims.receipt_key);
  add_digest(map, "hpke-key", claims.hpke_key);
  if (claims.epoch) {
    map.push_back({CborValue::of_text("epoch"), CborValue::of_unsigned(*claims.epoch)});
  }
  return encode_cbor(CborValue::of_map(std::move(map)));
}

Result<Claims> read_claims(Bytes encoded) {
  if (encoded.size() > kClaimsBytesMax) return Error{Code::too_large, "claims.size"};
  // Other issuers do not sort their keys.
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(encoded, CborOrder::any));
  if (!map.is_map()) return malformed();
  Claims claims;
  CLOISTER_ASSIGN(claims.pubkey_hash, read_pubkey_hash(map.find("pubkey-hash")));
  CLOISTER_TRY(read_bytes(map, "nonce", claims.nonce));
  CLOISTER_TRY(read_bytes(map, "tls-exporter", claims.tls_exporter));
  CLOISTER_TRY(read_text(map, "purpose", claims.purpose));
  CLOISTER_TRY(read_digest(map, "configuration", claims.configuration));
  CLOISTER_TRY(read_digest(map, "software", claims.software));
  CLOISTER_TRY(read_text(map, "isolation", claims.isolation));
  CLOISTER_TRY(read_text(map, "sandbox", claims.sandbox));
  CLOISTER_TRY(read_text(map, "anchor", claims.anchor));
  CLOISTER_TRY(read_digest(map, "receipt-key", claims.receipt_key));
  CLOISTER_TRY(read_digest(map, "hpke-key", claims.hpke_key));
  if (const CborValue* epoch = map.find("epoch"); epoch != nullptr) {
    claims.epoch = epoch->unsigned_integer();
    if (!claims.epoch) return malformed();
  }
  return claims;
}

ReportData report_data_of(Bytes encoded_claims) noexcept {
  ReportData report_data{};
  std::ranges::copy(sha256(encoded_claims), report_data.begin());
  return report_data;
}

}  // namespace cloister
