#include "epc/sealed_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "epc/inside.h"

namespace cloister {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::array<unsigned char, 32> kKey{0x63, 0x6c, 0x6f, 0x69};
constexpr int kPieceBytes = 1 << 30;

const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

/// The cipher over `count` bytes, in pieces that its interface can count.
void update(EVP_CIPHER_CTX* context, std::byte* to, const std::byte* from, std::size_t count) {
  while (count > 0) {
    const int piece = static_cast<int>(std::min<std::size_t>(count, kPieceBytes));
    int done = 0;
    CLOISTER_CHECK(EVP_CipherUpdate(context, raw(to), &done, raw(from), piece) == 1);
    to += piece;
    from += piece;
    count -= static_cast<std::size_t>(piece);
  }
}

EVP_CIPHER_CTX* start(const std::byte* nonce, bool sealing) {
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  CLOISTER_CHECK(context != nullptr &&
                 EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, kKey.data(), raw(nonce),
                                   sealing ? 1 : 0) == 1);
  return context;
}

}  // namespace

void seal_file(const std::string& plain, const std::string& sealed) {
  const EnclaveBytes content = read_into_enclave(plain);
  ByteVector result(kNonceBytes + content.all().size() + kTagBytes);
  EVP_CIPHER_CTX* const context = start(result.data(), true);
  update(context, result.data() + kNonceBytes, content.all().data(), content.all().size());
  int done = 0;
  unsigned char* const tag = raw(result.data() + result.size() - kTagBytes);
  CLOISTER_CHECK(EVP_CipherFinal_ex(context, tag, &done) == 1 &&
                 EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1);
  EVP_CIPHER_CTX_free(context);
  std::ofstream file(sealed, std::ios::binary);
  file.write(reinterpret_cast<const char*>(result.data()),
             static_cast<std::streamsize>(result.size()));
  CLOISTER_CHECK(file.flush().good());
}

EnclaveBytes open_sealed(const EnclaveBytes& sealed) {
  CLOISTER_CHECK(sealed.all().size() >= kNonceBytes + kTagBytes);
  const std::size_t size = sealed.all().size() - kNonceBytes - kTagBytes;
  EnclaveBytes plain(size);
  const Side inside(true);
  EVP_CIPHER_CTX* const context = start(sealed.all().data(), false);
  update(context, plain.all().data(), sealed.all().data() + kNonceBytes, size);
  std::array<std::byte, kTagBytes> tag{};
  std::copy(sealed.all().end() - kTagBytes, sealed.all().end(), tag.begin());
  int done = 0;
  CLOISTER_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
                 EVP_CipherFinal_ex(context, raw(tag.data()), &done) == 1);
  EVP_CIPHER_CTX_free(context);
  std::array<unsigned char, 32> digest{};
  CLOISTER_CHECK(EVP_Digest(plain.all().data(), size, digest.data(), nullptr, EVP_sha256(),
                            nullptr) == 1);
  return plain;
}

void drop_from_cache(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CLOISTER_CHECK(file >= 0 && ::fsync(file) == 0 &&
                 ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
  ::close(file);
}

}  // namespace cloister
