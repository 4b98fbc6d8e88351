#include "crypto/hpke.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "crypto/hkdf.h"
#include "crypto/secret_reader.h"

namespace cloister {
namespace {

// RFC 9180, 7.1 to 7.3: the identifiers of the one suite.
constexpr std::array<std::byte, 2> kKemId = {std::byte{0x00}, std::byte{0x20}};
constexpr std::array<std::byte, 2> kKdfId = {std::byte{0x00}, std::byte{0x01}};
constexpr std::array<std::byte, 2> kAeadId = {std::byte{0x00}, std::byte{0x02}};
constexpr std::byte kModeBase{0x00};

void append(ByteVector& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void append(ByteVector& out, std::string_view text) { append(out, bytes_of(text)); }

ByteVector suite_of_kem() {
  ByteVector suite;
  append(suite, "KEM");
  append(suite, kKemId);
  return suite;
}

ByteVector suite_of_hpke() {
  ByteVector suite;
  append(suite, "HPKE");
  append(suite, kKemId);
  append(suite, kKdfId);
  append(suite, kAeadId);
  return suite;
}

/// LabeledExtract (RFC 9180, 4), with the input key in memory that wipes itself.
Result<SecretBytes> labeled_extract(const SecretBytes& salt, Bytes suite, std::string_view label,
                                    Bytes input_key) {
  ByteVector prefix;
  append(prefix, "HPKE-v1");
  append(prefix, suite);
  append(prefix, label);
  SecretBytes labeled(prefix.size() + input_key.size());
  const MutableBytes out = SecretReader::write(labeled);
  std::ranges::copy(prefix, out.begin());
  std::ranges::copy(input_key, out.begin() + static_cast<std::ptrdiff_t>(prefix.size()));
  return hkdf_sha256_extract(labeled, salt);
}

/// LabeledExpand (RFC 9180, 4).
Result<SecretBytes> labeled_expand(const SecretBytes& key, Bytes suite, std::string_view label,
                                   Bytes info, std::size_t length) {
  if (length > std::numeric_limits<std::uint16_t>::max()) {
    return Error{Code::invalid, "crypto.hpke.length"};
  }
  ByteVector labeled = {static_cast<std::byte>(length >> 8), static_cast<std::byte>(length)};
  append(labeled, "HPKE-v1");
  append(labeled, suite);
  append(labeled, label);
  append(labeled, info);
  return hkdf_sha256_expand(key, labeled, length);
}

/// ExtractAndExpand of DHKEM (RFC 9180, 4.1).
Result<SecretBytes> shared_secret(const SecretBytes& agreed, const KemPublicKey& encapsulated,
                                  const KemPublicKey& recipient) {
  const ByteVector suite = suite_of_kem();
  CLOISTER_ASSIGN(const SecretBytes key,
                  labeled_extract({}, suite, "eae_prk", SecretReader::read(agreed)));
  ByteVector context;
  append(context, encapsulated);
  append(context, recipient);
  return labeled_expand(key, suite, "shared_secret", context, 32);
}

}  // namespace

/// KeySchedule of RFC 9180, 5.1, in mode base: no pre-shared key, no sender's key.
class HpkeSchedule {
 public:
  static Result<HpkeContext> run(const SecretBytes& shared, Bytes info) {
    const ByteVector suite = suite_of_hpke();
    CLOISTER_ASSIGN(const SecretBytes id_hash, labeled_extract({}, suite, "psk_id_hash", {}));
    CLOISTER_ASSIGN(const SecretBytes info_hash, labeled_extract({}, suite, "info_hash", info));
    ByteVector context = {kModeBase};
    append(context, SecretReader::read(id_hash));
    append(context, SecretReader::read(info_hash));
    CLOISTER_ASSIGN(const SecretBytes secret, labeled_extract(shared, suite, "secret", {}));
    CLOISTER_ASSIGN(const SecretBytes key,
                    labeled_expand(secret, suite, "key", context, kAeadKeyBytes));
    CLOISTER_ASSIGN(const SecretBytes nonce,
                    labeled_expand(secret, suite, "base_nonce", context, kAeadNonceBytes));
    CLOISTER_ASSIGN(SecretBytes exporter, labeled_expand(secret, suite, "exp", context, 32));
    CLOISTER_ASSIGN(std::unique_ptr<Aead> cipher, make_aead_openssl(key));
    AeadNonce base{};
    std::ranges::copy(SecretReader::read(nonce), base.begin());
    return HpkeContext(std::move(cipher), base, std::move(exporter));
  }
};

HpkeContext::HpkeContext(std::unique_ptr<Aead> cipher, AeadNonce base,
                         SecretBytes exporter) noexcept
    : cipher_(std::move(cipher)), base_nonce_(base), exporter_(std::move(exporter)) {}

AeadNonce HpkeContext::nonce() const noexcept {
  AeadNonce nonce = base_nonce_;
  for (std::size_t i = 0; i < sizeof number_; ++i) {
    nonce[nonce.size() - 1 - i] ^= static_cast<std::byte>(number_ >> (8 * i));
  }
  return nonce;
}

Result<ByteVector> HpkeContext::seal(Bytes associated, Bytes plaintext) {
  ByteVector sealed(plaintext.size() + kAeadTagBytes);
  const MutableBytes body = MutableBytes(sealed).first(plaintext.size());
  // The number is used up even where sealing fails: no nonce meets two plaintexts.
  const AeadNonce nonce_now = nonce();
  ++number_;
  CLOISTER_ASSIGN(const AeadTag tag, cipher_->seal(nonce_now, associated, plaintext, body));
  std::ranges::copy(tag, sealed.end() - static_cast<std::ptrdiff_t>(tag.size()));
  return sealed;
}

Status HpkeContext::open(Bytes associated, Bytes sealed, MutableBytes plaintext) {
  if (sealed.size() < kAeadTagBytes || plaintext.size() != sealed.size() - kAeadTagBytes) {
    return Error{Code::corrupt, "crypto.hpke.size"};
  }
  AeadTag tag{};
  std::ranges::copy(sealed.last(kAeadTagBytes), tag.begin());
  const Bytes body = sealed.first(plaintext.size());
  CLOISTER_TRY(cipher_->open(nonce(), associated, body, tag, plaintext));
  ++number_;
  return Done{};
}

Result<SecretBytes> HpkeContext::export_secret(Bytes context, std::size_t length) const {
  return labeled_expand(exporter_, suite_of_hpke(), "sec", context, length);
}

Result<HpkeSender> hpke_to(const KemPublicKey& recipient, Bytes info,
                           const KemPrivateKey& ephemeral) {
  CLOISTER_ASSIGN(const SecretBytes agreed, ephemeral.agree(recipient));
  CLOISTER_ASSIGN(const SecretBytes shared,
                  shared_secret(agreed, ephemeral.public_key(), recipient));
  CLOISTER_ASSIGN(HpkeContext context, HpkeSchedule::run(shared, info));
  return HpkeSender{ephemeral.public_key(), std::move(context)};
}

Result<HpkeSender> hpke_to(const KemPublicKey& recipient, Bytes info) {
  CLOISTER_ASSIGN(const KemPrivateKey ephemeral, KemPrivateKey::generate());
  return hpke_to(recipient, info, ephemeral);
}

Result<HpkeContext> hpke_from(const KemPublicKey& encapsulated, const KemPrivateKey& recipient,
                              Bytes info) {
  CLOISTER_ASSIGN(const SecretBytes agreed, recipient.agree(encapsulated));
  CLOISTER_ASSIGN(const SecretBytes shared,
                  shared_secret(agreed, encapsulated, recipient.public_key()));
  return HpkeSchedule::run(shared, info);
}

}  // namespace cloister
