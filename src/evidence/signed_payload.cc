#include "evidence/signed_payload.h"

#include <algorithm>
#include <utility>

#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::uint64_t kSign1Tag = 18;          // RFC 9052, 2
constexpr std::int64_t kAlgorithmHeader = 1;     // RFC 9052, 3.1
constexpr std::int64_t kContentTypeHeader = 3;   // RFC 9052, 3.1
constexpr std::int64_t kKeyIdHeader = 4;         // RFC 9052, 3.1
constexpr std::int64_t kEs256 = -7;              // RFC 9053, 2.1
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kSpkiBytesMax = 128;
constexpr std::size_t kContentTypeMax = 64;

Error malformed() { return Error{Code::corrupt, "signed_payload.malformed"}; }

ByteVector protected_header(std::string_view content_type, Bytes spki) {
  std::vector<CborEntry> map;
  map.push_back({CborValue::of_integer(kAlgorithmHeader), CborValue::of_integer(kEs256)});
  if (!content_type.empty()) {
    map.push_back({CborValue::of_integer(kContentTypeHeader), CborValue::of_text(content_type)});
  }
  map.push_back({CborValue::of_integer(kKeyIdHeader), CborValue::of_bytes(spki)});
  return encode_cbor(CborValue::of_map(std::move(map)));
}

/// Sig_structure of RFC 9052, 4.4, without external data.
ByteVector to_be_signed(Bytes header, Bytes payload) {
  return encode_cbor(CborValue::of_array({CborValue::of_text("Signature1"),
                                          CborValue::of_bytes(header), CborValue::of_bytes({}),
                                          CborValue::of_bytes(payload)}));
}

}  // namespace

Result<ByteVector> SignedPayload::write(std::string_view content_type, Bytes payload,
                                        const SigningKey& key) {
  const ByteVector header = protected_header(content_type, key.spki());
  CLOISTER_ASSIGN(const ByteVector signature, key.sign(to_be_signed(header, payload)));
  return encode_cbor(CborValue::of_tag(
      kSign1Tag, CborValue::of_array({CborValue::of_bytes(header), CborValue::of_map({}),
                                      CborValue::of_bytes(payload),
                                      CborValue::of_bytes(signature)})));
}

Result<SignedPayload> SignedPayload::read(Bytes encoded, std::size_t bytes_max) {
  if (encoded.size() > bytes_max) return Error{Code::too_large, "signed_payload.size"};
  CLOISTER_ASSIGN(const CborValue value,
                  decode_cbor(encoded, CborOrder::sorted, {.bytes_max = bytes_max}));
  const CborTagged* tagged = value.tagged();
  if (tagged == nullptr || tagged->tag != kSign1Tag) return malformed();
  const auto& parts = tagged->value.items();
  const bool shaped = parts.size() == 4 && parts[0].bytes() && parts[1].is_map() &&
                      parts[1].entries().empty() && parts[2].bytes() && parts[3].bytes() &&
                      parts[3].bytes()->size() == kSignatureBytes;
  if (!shaped) return malformed();
  SignedPayload read;
  CLOISTER_TRY(read.read_header(*parts[0].bytes()));
  read.payload_ = copy_of(*parts[2].bytes());
  read.key_digest_ = sha256(read.spki_);
  read.to_be_signed_ = to_be_signed(*parts[0].bytes(), read.payload_);
  read.signature_ = copy_of(*parts[3].bytes());
  return read;
}

/// Takes a protected header that is ours to the byte.
Status SignedPayload::read_header(Bytes header) {
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(header, CborOrder::sorted));
  if (!map.is_map() || map.entries().size() < 2) return malformed();
  const auto spki = map.entries().back().value.bytes();
  if (!spki || spki->size() > kSpkiBytesMax) return malformed();
  if (const auto type = map.entries()[1].value.text()) {
    if (type->empty() || type->size() > kContentTypeMax) return malformed();
    content_type_ = *type;
  }
  spki_ = copy_of(*spki);
  return std::ranges::equal(protected_header(content_type_, spki_), header)
             ? Status(Done{})
             : Status(malformed());
}

Status SignedPayload::verify(const Sha256Digest& attested_key) const {
  if (attested_key != key_digest_) return Error{Code::unverified, "receipt.key"};
  const auto key = PublicKey::from_spki(spki_);
  if (!key.ok()) return Error{Code::unverified, "receipt.spki"};
  return key.value().verify(SignatureScheme::ecdsa_p256_sha256_raw, to_be_signed_, signature_);
}

}  // namespace cloister
