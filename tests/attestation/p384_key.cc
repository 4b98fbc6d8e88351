#include "attestation/p384_key.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <vector>

#include "base/check.h"

namespace cloister {
namespace {

constexpr int kNumberBytes = 72;

const unsigned char* octets(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

struct P384Key::State {
  EVP_PKEY* key = EVP_EC_gen("P-384");
};

P384Key::P384Key() : state_(std::make_unique<State>()) { CLOISTER_CHECK(state_->key != nullptr); }

P384Key::~P384Key() { EVP_PKEY_free(state_->key); }

ByteVector P384Key::spki() const {
  std::vector<unsigned char> der(static_cast<std::size_t>(i2d_PUBKEY(state_->key, nullptr)));
  unsigned char* place = der.data();
  i2d_PUBKEY(state_->key, &place);
  return copy_of(std::as_bytes(std::span(der)));
}

ByteVector P384Key::sign(Bytes message) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::vector<unsigned char> der(256);
  std::size_t size = der.size();
  CLOISTER_CHECK(
      EVP_DigestSignInit(context, nullptr, EVP_sha384(), nullptr, state_->key) == 1 &&
      EVP_DigestSign(context, der.data(), &size, octets(message), message.size()) == 1);
  EVP_MD_CTX_free(context);
  const unsigned char* from = der.data();
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(size));
  CLOISTER_CHECK(signature != nullptr);
  std::vector<unsigned char> both(2 * kNumberBytes);
  BN_bn2lebinpad(ECDSA_SIG_get0_r(signature), both.data(), kNumberBytes);
  BN_bn2lebinpad(ECDSA_SIG_get0_s(signature), both.data() + kNumberBytes, kNumberBytes);
  ECDSA_SIG_free(signature);
  return copy_of(std::as_bytes(std::span(both)));
}

}  // namespace cloister
