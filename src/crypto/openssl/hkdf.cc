#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "crypto/secret_reader.h"

namespace cloister {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kHkdfBytesMax = 255 * kHashBytes;  // RFC 5869, 2.3

struct FreeMac {
  void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};
using Mac = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

const unsigned char* chars(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// The library's own HKDF looks its parts up by name in every call, which takes 30 times as long as
// the two or three HMACs that it consists of.
Mac keyed_mac(Bytes key) {
  const std::unique_ptr<EVP_MAC, FreeMac> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (hmac == nullptr) return nullptr;
  Mac mac(EVP_MAC_CTX_new(hmac.get()));
  char digest_name[] = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
      OSSL_PARAM_construct_end(),
  };
  const bool keyed = mac != nullptr && EVP_MAC_init(mac.get(), chars(key), key.size(),
                                                    parameters.data()) == 1;
  return keyed ? std::move(mac) : nullptr;
}

bool update(const Mac& mac, Bytes bytes) {
  return EVP_MAC_update(mac.get(), chars(bytes), bytes.size()) == 1;
}

bool finish(const Mac& mac, MutableBytes hash) {
  std::size_t size = 0;
  return EVP_MAC_final(mac.get(), reinterpret_cast<unsigned char*>(hash.data()), &size,
                       hash.size()) == 1 &&
         size == kHashBytes;
}

Result<SecretBytes> extract_bytes(const SecretBytes& input_key, Bytes salt) {
  if (input_key.empty()) return Error{Code::invalid, "crypto.hkdf.key"};
  constexpr std::array<std::byte, kHashBytes> kNoSalt{};
  SecretBytes extracted(kHashBytes);
  const Mac mac = keyed_mac(salt.empty() ? Bytes(kNoSalt) : salt);
  if (mac == nullptr || !update(mac, SecretReader::read(input_key)) ||
      !finish(mac, SecretReader::write(extracted))) {
    return Error{Code::internal, "crypto.hkdf.extract"};
  }
  return extracted;
}

}  // namespace

struct HkdfKey::State {
  Mac mac;  ///< HMAC under the extracted key, before its first byte; only ever copied
};

Result<HkdfKey> HkdfKey::from(Bytes extracted) {
  auto state = std::make_shared<State>();
  state->mac = keyed_mac(extracted);
  if (state->mac == nullptr) return Error{Code::internal, "crypto.hkdf.extract"};
  return HkdfKey(std::move(state));
}

Result<HkdfKey> HkdfKey::extract(const SecretBytes& input_key, Bytes salt) {
  CLOISTER_ASSIGN(const SecretBytes extracted, extract_bytes(input_key, salt));
  return from(SecretReader::read(extracted));
}

Result<SecretBytes> HkdfKey::expand(Bytes info, std::size_t length) const {
  if (length == 0 || length > kHkdfBytesMax) return Error{Code::invalid, "crypto.hkdf.length"};
  SecretBytes derived(length);
  SecretBytes block(kHashBytes);
  const MutableBytes out = SecretReader::write(derived);
  for (std::size_t at = 0; at < length; at += kHashBytes) {
    const Mac mac(EVP_MAC_CTX_dup(state_->mac.get()));
    const std::array number = {static_cast<std::byte>(at / kHashBytes + 1)};
    if (mac == nullptr || (at > 0 && !update(mac, SecretReader::read(block))) ||
        !update(mac, info) || !update(mac, number) ||
        !finish(mac, SecretReader::write(block))) {
      return Error{Code::internal, "crypto.hkdf.expand"};
    }
    const std::size_t count = std::min(kHashBytes, length - at);
    std::ranges::copy(SecretReader::read(block).first(count), out.subspan(at).begin());
  }
  return derived;
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, Bytes salt, Bytes info,
                                std::size_t length) {
  CLOISTER_ASSIGN(const HkdfKey key, HkdfKey::extract(input_key, salt));
  return key.expand(info, length);
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, const SecretBytes& salt, Bytes info,
                                std::size_t length) {
  return hkdf_sha256(input_key, SecretReader::read(salt), info, length);
}

Result<SecretBytes> hkdf_sha256_extract(const SecretBytes& input_key, const SecretBytes& salt) {
  return extract_bytes(input_key, SecretReader::read(salt));
}

Result<SecretBytes> hkdf_sha256_expand(const SecretBytes& key, Bytes info, std::size_t length) {
  if (key.empty()) return Error{Code::invalid, "crypto.hkdf.key"};
  CLOISTER_ASSIGN(const HkdfKey extracted, HkdfKey::from(SecretReader::read(key)));
  return extracted.expand(info, length);
}

}  // namespace cloister
