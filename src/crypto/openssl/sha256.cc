#include "crypto/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace cloister {
namespace {

/// Looked up once: EVP_sha256() and the like look their algorithm up at every use.
const EVP_MD* fetched(const char* name) noexcept {
  const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, name, nullptr);  // for the process's life
  CLOISTER_CHECK(algorithm != nullptr);
  return algorithm;
}
const EVP_MD* sha256_algorithm() noexcept {
  static const EVP_MD* const algorithm = fetched("SHA256");
  return algorithm;
}

template <class Digest>
Digest digest_of(const EVP_MD* algorithm, Bytes input) noexcept {
  Digest digest{};
  const int done = EVP_Digest(input.data(), input.size(),
                              reinterpret_cast<unsigned char*>(digest.data()), nullptr, algorithm,
                              nullptr);
  CLOISTER_CHECK(done == 1);
  return digest;
}

struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

Sha256Digest sha256(Bytes input) noexcept {
  return digest_of<Sha256Digest>(sha256_algorithm(), input);
}
Sha384Digest sha384(Bytes input) noexcept { return digest_of<Sha384Digest>(EVP_sha384(), input); }
Sha512Digest sha512(Bytes input) noexcept { return digest_of<Sha512Digest>(EVP_sha512(), input); }

struct Sha256Stream::State {
  std::unique_ptr<EVP_MD_CTX, FreeDigestContext> context{EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  CLOISTER_CHECK(state_->context != nullptr);
  CLOISTER_CHECK(EVP_DigestInit_ex(state_->context.get(), sha256_algorithm(), nullptr) == 1);
}

Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(Bytes piece) noexcept {
  CLOISTER_CHECK(EVP_DigestUpdate(state_->context.get(), piece.data(), piece.size()) == 1);
}

Sha256Digest Sha256Stream::finish() noexcept {
  Sha256Digest digest{};
  CLOISTER_CHECK(EVP_DigestFinal_ex(state_->context.get(),
                                    reinterpret_cast<unsigned char*>(digest.data()),
                                    nullptr) == 1);
  return digest;
}

}  // namespace cloister
