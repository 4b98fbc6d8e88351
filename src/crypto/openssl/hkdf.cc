#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <cstdint>
#include <memory>

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "crypto/secret_reader.h"

namespace cloister {
namespace {

constexpr std::size_t kHkdfBytesMax = 255 * 32;  // RFC 5869, 2.3

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const noexcept { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { EVP_KDF_CTX_free(context); }
};

// OpenSSL's parameters take mutable pointers, which it only reads through. It refuses a null one,
// so that an empty string points at something.
OSSL_PARAM octets(const char* name, Bytes bytes) {
  static char nothing = 0;
  if (bytes.empty()) return OSSL_PARAM_construct_octet_string(name, &nothing, 0);
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  return OSSL_PARAM_construct_octet_string(name, reinterpret_cast<void*>(address), bytes.size());
}

/// One run of the library's HKDF: all of it, or one of its halves.
Result<SecretBytes> run(int mode, const SecretBytes& key, Bytes salt, Bytes info,
                        std::size_t length) {
  if (length == 0 || length > kHkdfBytesMax || key.empty()) {
    return Error{Code::invalid, "crypto.hkdf.length"};
  }
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(
      kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  if (context == nullptr) return Error{Code::internal, "crypto.hkdf.context"};
  char digest_name[] = "SHA256";
  const std::array<OSSL_PARAM, 6> parameters = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name, 0),
      octets(OSSL_KDF_PARAM_KEY, SecretReader::read(key)),
      octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  SecretBytes derived(length);
  auto* out = reinterpret_cast<unsigned char*>(SecretReader::write(derived).data());
  if (EVP_KDF_derive(context.get(), out, length, parameters.data()) != 1) {
    return Error{Code::internal, "crypto.hkdf.derive"};
  }
  return derived;
}

}  // namespace

Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, Bytes salt, Bytes info,
                                std::size_t length) {
  return run(EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, input_key, salt, info, length);
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, const SecretBytes& salt, Bytes info,
                                std::size_t length) {
  return hkdf_sha256(input_key, SecretReader::read(salt), info, length);
}

Result<SecretBytes> hkdf_sha256_extract(const SecretBytes& input_key, const SecretBytes& salt) {
  return run(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, input_key, SecretReader::read(salt), {}, 32);
}

Result<SecretBytes> hkdf_sha256_expand(const SecretBytes& key, Bytes info, std::size_t length) {
  return run(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key, {}, info, length);
}

}  // namespace cloister
