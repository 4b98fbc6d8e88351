#include "crypto/signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "crypto/der.h"
#include "crypto/secret_reader.h"
#include "crypto/sha256.h"

namespace cloister {
namespace {

constexpr Oid kEcPublicKey("1.2.840.10045.2.1");
constexpr Oid kP256("1.2.840.10045.3.1.7");
constexpr Oid kP384("1.3.132.0.34");
constexpr Oid kRsaEncryption("1.2.840.113549.1.1.1");
constexpr std::size_t kSpkiBytesMax = 2048;

template <auto kFree>
struct Free {
  template <class Object>
  void operator()(Object* object) const noexcept {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;

const unsigned char* raw(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(MutableBytes bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

/// Building a key from its parts takes the library a fraction of the time that decoding one takes.
Result<Key> key_from_parts(const char* algorithm, OSSL_PARAM* params) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* key = nullptr;
  const bool made = context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
  if (!made) return Error{Code::corrupt, "signature.key"};
  return Key(key);
}

/// `point`: 0x04 || x || y. The library refuses a point that is not on the curve.
Result<Key> ec_key(const char* group, Bytes point) {
  ByteVector copy = copy_of(point);
  std::string group_name(group);
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group_name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      OSSL_PARAM_construct_end()};
  return key_from_parts("EC", params);
}

Result<Key> rsa_key(Bytes modulus, std::uint64_t exponent) {
  const bool size_fits = modulus.size() >= 256 && modulus.size() <= 512;
  if (!size_fits || (modulus[0] & std::byte{0x80}) == std::byte{0} || exponent < 3 ||
      exponent > 0xFFFFFFFFU || exponent % 2 == 0) {
    return Error{Code::unsupported, "signature.rsa_size"};
  }
  const Number n(BN_bin2bn(raw(modulus), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_new());
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const bool built = n && e && builder && BN_set_word(e.get(), exponent) == 1 &&
                     OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                     OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1;
  const Params params(built ? OSSL_PARAM_BLD_to_param(builder.get()) : nullptr);
  if (!params) return Error{Code::internal, "signature.rsa"};
  return key_from_parts("RSA", params.get());
}

ByteVector spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return {};
  const auto* bytes = reinterpret_cast<const std::byte*>(der);
  ByteVector out(bytes, bytes + size);
  OPENSSL_free(der);
  return out;
}

/// r and s of an Ecdsa-Sig-Value as fixed-width big-endian numbers, 32 bytes each.
Result<ByteVector> raw_of_der(Bytes der) {
  DerReader outer(der);
  CLOISTER_ASSIGN(const Bytes both, outer.take(DerTag::sequence));
  DerReader reader(both);
  ByteVector out(64);
  for (std::size_t half = 0; half < 2; ++half) {
    CLOISTER_ASSIGN(Bytes number, reader.take(DerTag::integer));
    while (!number.empty() && number[0] == std::byte{0}) number = number.subspan(1);
    if (number.size() > 32) return Error{Code::internal, "signature.sign"};
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(32 * (half + 1));
    std::copy_backward(number.begin(), number.end(), end);
  }
  return out;
}

enum class KeyType { p256, p384, rsa };
enum class KeyRule { p256, p384, any_curve, rsa };

struct Scheme {
  KeyRule key;
  bool sha384;
  bool raw_signature;  ///< r || s rather than Ecdsa-Sig-Value
  int padding;         ///< RSA alone
  int salt;            ///< PSS alone
};

Scheme scheme_of(SignatureScheme scheme) noexcept {
  constexpr int kPkcs1 = RSA_PKCS1_PADDING;
  constexpr int kPss = RSA_PKCS1_PSS_PADDING;
  switch (scheme) {
    case SignatureScheme::ecdsa_p256_sha256_raw: return {KeyRule::p256, false, true, 0, 0};
    case SignatureScheme::ecdsa_p384_sha384_raw: return {KeyRule::p384, true, true, 0, 0};
    case SignatureScheme::ecdsa_sha256_der: return {KeyRule::any_curve, false, false, 0, 0};
    case SignatureScheme::ecdsa_sha384_der: return {KeyRule::any_curve, true, false, 0, 0};
    case SignatureScheme::rsa_pkcs1_sha256: return {KeyRule::rsa, false, false, kPkcs1, 0};
    case SignatureScheme::rsa_pkcs1_sha384: return {KeyRule::rsa, true, false, kPkcs1, 0};
    case SignatureScheme::rsa_pss_sha384: return {KeyRule::rsa, true, false, kPss, 48};
    case SignatureScheme::rsa_pss_sha256: break;
  }
  return {KeyRule::rsa, false, false, kPss, RSA_PSS_SALTLEN_AUTO};
}

bool fits(KeyType key, KeyRule rule) noexcept {
  switch (rule) {
    case KeyRule::p256: return key == KeyType::p256;
    case KeyRule::p384: return key == KeyType::p384;
    case KeyRule::any_curve: return key != KeyType::rsa;
    case KeyRule::rsa: break;
  }
  return key == KeyType::rsa;
}

bool set_up(EVP_PKEY_CTX* context, const Scheme& scheme) {
  if (EVP_PKEY_verify_init(context) != 1) return false;
  if (scheme.key != KeyRule::rsa) return true;
  const EVP_MD* digest = scheme.sha384 ? EVP_sha384() : EVP_sha256();
  if (EVP_PKEY_CTX_set_rsa_padding(context, scheme.padding) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context, digest) != 1) {
    return false;
  }
  return scheme.padding != RSA_PKCS1_PSS_PADDING ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, scheme.salt) == 1;
}

}  // namespace

struct SigningKey::State {
  Key key;
  /// Ready to sign with `key`: a copy of it takes the library a fraction of the time that making
  /// one takes, which looks digest and signature up by name.
  DigestContext ready;
  ByteVector spki;

  /// Makes `ready` and `spki` of `key`. False when the library cannot.
  bool prepare() {
    ready.reset(EVP_MD_CTX_new());
    if (!key || !ready ||
        EVP_DigestSignInit(ready.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
      return false;
    }
    spki = spki_of(key.get());
    return !spki.empty();
  }
};

SigningKey::SigningKey(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::generate_p256() {
  auto state = std::make_unique<State>();
  state->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!state->prepare()) return Error{Code::internal, "signature.generate"};
  return SigningKey(std::move(state));
}

Result<SigningKey> SigningKey::from_pkcs8(const SecretBytes& der) {
  const Bytes bytes = SecretReader::read(der);
  const unsigned char* at = raw(bytes);
  const Pkcs8 encoded(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(bytes.size())));
  auto state = std::make_unique<State>();
  if (encoded && at == raw(bytes) + bytes.size()) state->key.reset(EVP_PKCS82PKEY(encoded.get()));
  if (!state->prepare()) return Error{Code::invalid, "signature.pkcs8"};
  CLOISTER_ASSIGN(const PublicKey half, PublicKey::from_spki(state->spki));
  SigningKey key(std::move(state));
  const Result<ByteVector> signature = key.sign({});
  if (!signature.ok() ||
      !half.verify(SignatureScheme::ecdsa_p256_sha256_raw, {}, signature.value()).ok()) {
    return Error{Code::invalid, "signature.pkcs8"};
  }
  return key;
}

Result<ByteVector> SigningKey::sign(Bytes message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::array<std::byte, 80> der{};
  std::size_t size = der.size();
  const bool done =
      context && EVP_MD_CTX_copy_ex(context.get(), state_->ready.get()) == 1 &&
      EVP_DigestSign(context.get(), raw(MutableBytes(der)), &size, raw(message),
                     message.size()) == 1;
  if (!done) return Error{Code::internal, "signature.sign"};
  return raw_of_der(Bytes(der).first(size));
}

const ByteVector& SigningKey::spki() const noexcept { return state_->spki; }

Result<SecretBytes> SigningKey::pkcs8() const {
  const Pkcs8 encoded(EVP_PKEY2PKCS8(state_->key.get()));
  const int size = encoded ? i2d_PKCS8_PRIV_KEY_INFO(encoded.get(), nullptr) : 0;
  if (size <= 0) return Error{Code::internal, "signature.pkcs8"};
  SecretBytes out(static_cast<std::size_t>(size));
  unsigned char* at = raw(SecretReader::write(out));
  if (i2d_PKCS8_PRIV_KEY_INFO(encoded.get(), &at) != size) {
    return Error{Code::internal, "signature.pkcs8"};
  }
  return out;
}

struct PublicKey::State {
  Key key;
  KeyType type;
  ByteVector spki;
};

PublicKey::PublicKey(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
PublicKey::PublicKey(PublicKey&&) noexcept = default;
PublicKey& PublicKey::operator=(PublicKey&&) noexcept = default;
PublicKey::~PublicKey() = default;

Result<PublicKey> PublicKey::from_spki(Bytes der) {
  if (der.size() > kSpkiBytesMax) return Error{Code::unsupported, "signature.spki_size"};
  DerReader outer(der);
  CLOISTER_ASSIGN(const Bytes spki, outer.take(DerTag::sequence));
  CLOISTER_TRY(outer.end());
  DerReader reader(spki);
  CLOISTER_ASSIGN(const Bytes algorithm, reader.take(DerTag::sequence));
  CLOISTER_ASSIGN(Bytes bits, reader.take(DerTag::bit_string));
  CLOISTER_TRY(reader.end());
  if (bits.empty() || bits[0] != std::byte{0}) return Error{Code::corrupt, "signature.spki"};
  bits = bits.subspan(1);
  DerReader parameters(algorithm);
  CLOISTER_ASSIGN(const Bytes oid, parameters.take(DerTag::object_id));
  if (kEcPublicKey.is(oid)) {
    CLOISTER_ASSIGN(const Bytes curve, parameters.take(DerTag::object_id));
    const bool is_p256 = kP256.is(curve);
    if (!is_p256 && !kP384.is(curve)) return Error{Code::unsupported, "signature.curve"};
    if (bits.size() != (is_p256 ? 65 : 97)) return Error{Code::corrupt, "signature.point"};
    CLOISTER_ASSIGN(Key key, ec_key(is_p256 ? "P-256" : "P-384", bits));
    return PublicKey(std::make_unique<State>(
        State{std::move(key), is_p256 ? KeyType::p256 : KeyType::p384, copy_of(der)}));
  }
  if (!kRsaEncryption.is(oid)) return Error{Code::unsupported, "signature.algorithm"};
  DerReader rsa_outer(bits);
  CLOISTER_ASSIGN(const Bytes numbers, rsa_outer.take(DerTag::sequence));
  DerReader rsa(numbers);
  CLOISTER_ASSIGN(Bytes modulus, rsa.take(DerTag::integer));
  CLOISTER_ASSIGN(const Bytes exponent_bytes, rsa.take(DerTag::integer));
  CLOISTER_ASSIGN(const std::uint64_t exponent, der_unsigned(exponent_bytes));
  if (!modulus.empty() && modulus[0] == std::byte{0}) modulus = modulus.subspan(1);
  CLOISTER_ASSIGN(Key key, rsa_key(modulus, exponent));
  return PublicKey(
      std::make_unique<State>(State{std::move(key), KeyType::rsa, copy_of(der)}));
}

Result<PublicKey> PublicKey::from_p256_point(Bytes point) {
  if (point.size() != 64) return Error{Code::corrupt, "signature.point"};
  ByteVector uncompressed{std::byte{4}};
  uncompressed.insert(uncompressed.end(), point.begin(), point.end());
  CLOISTER_ASSIGN(Key key, ec_key("P-256", uncompressed));
  ByteVector spki = der_sequence({der_sequence({der_oid(kEcPublicKey), der_oid(kP256)}),
                                  der_bit_string(uncompressed)});
  return PublicKey(
      std::make_unique<State>(State{std::move(key), KeyType::p256, std::move(spki)}));
}

Result<PublicKey> PublicKey::from_rsa(Bytes modulus, std::uint32_t exponent) {
  CLOISTER_ASSIGN(Key key, rsa_key(modulus, exponent));
  const ByteVector numbers = der_sequence({der_integer(modulus), der_small_integer(exponent)});
  ByteVector spki =
      der_sequence({der_sequence({der_oid(kRsaEncryption), der_wrap(DerTag::null, {})}),
                    der_bit_string(numbers)});
  return PublicKey(
      std::make_unique<State>(State{std::move(key), KeyType::rsa, std::move(spki)}));
}

Status PublicKey::verify(SignatureScheme name, Bytes message, Bytes signature) const {
  const Error refused{Code::unverified, "signature.verify"};
  const Scheme scheme = scheme_of(name);
  if (!fits(state_->type, scheme.key)) return refused;
  ByteVector encoded;
  if (scheme.raw_signature) {
    if (signature.size() != (scheme.sha384 ? 96U : 64U)) return refused;
    encoded = der_ecdsa_signature(signature);
    signature = encoded;
  }
  const Sha384Digest long_digest = scheme.sha384 ? sha384(message) : Sha384Digest{};
  const Sha256Digest short_digest = scheme.sha384 ? Sha256Digest{} : sha256(message);
  const Bytes digest = scheme.sha384 ? Bytes(long_digest) : Bytes(short_digest);
  const KeyContext context(EVP_PKEY_CTX_new(state_->key.get(), nullptr));
  const bool holds = context && set_up(context.get(), scheme) &&
                     EVP_PKEY_verify(context.get(), raw(signature), signature.size(), raw(digest),
                                     digest.size()) == 1;
  if (!holds) return refused;
  return Done{};
}

const ByteVector& PublicKey::spki() const noexcept { return state_->spki; }

}  // namespace cloister
