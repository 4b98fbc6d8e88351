#include <openssl/evp.h>

#include "crypto/der.h"
#include "crypto/hpke.h"
#include "crypto/secret_reader.h"

namespace cloister {
namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeKey>;

constexpr std::size_t kKeyBytes = 32;

unsigned char* raw(MutableBytes bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

struct KemPrivateKey::State {
  Key key;
  KemPublicKey public_key{};
};

KemPrivateKey::KemPrivateKey(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
KemPrivateKey::KemPrivateKey(KemPrivateKey&&) noexcept = default;
KemPrivateKey& KemPrivateKey::operator=(KemPrivateKey&&) noexcept = default;
KemPrivateKey::~KemPrivateKey() = default;

Result<KemPrivateKey> KemPrivateKey::generate() {
  auto state = std::make_unique<State>();
  state->key = Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  std::size_t size = kKeyBytes;
  if (state->key == nullptr ||
      EVP_PKEY_get_raw_public_key(state->key.get(), raw(state->public_key), &size) != 1) {
    return Error{Code::internal, "crypto.kem.generate"};
  }
  return KemPrivateKey(std::move(state));
}

Result<KemPrivateKey> KemPrivateKey::from_bytes(const SecretBytes& bytes) {
  if (bytes.size() != kKeyBytes) return Error{Code::invalid, "crypto.kem.length"};
  auto state = std::make_unique<State>();
  state->key = Key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr,
      reinterpret_cast<const unsigned char*>(SecretReader::read(bytes).data()), kKeyBytes));
  std::size_t size = kKeyBytes;
  if (state->key == nullptr ||
      EVP_PKEY_get_raw_public_key(state->key.get(), raw(state->public_key), &size) != 1) {
    return Error{Code::internal, "crypto.kem.load"};
  }
  return KemPrivateKey(std::move(state));
}

const KemPublicKey& KemPrivateKey::public_key() const noexcept { return state_->public_key; }

Status KemPrivateKey::keep_in(const std::function<Status(Bytes)>& keep) const {
  SecretBytes bytes(kKeyBytes);
  std::size_t size = kKeyBytes;
  auto* const out = raw(SecretReader::write(bytes));
  if (EVP_PKEY_get_raw_private_key(state_->key.get(), out, &size) != 1) {
    return Error{Code::internal, "crypto.kem.bytes"};
  }
  return keep(SecretReader::read(bytes));
}

ByteVector spki_of(const KemPublicKey& key) {
  constexpr Oid kX25519("1.3.101.110");
  return der_sequence({der_sequence({der_oid(kX25519)}), der_bit_string(key)});
}

Result<SecretBytes> KemPrivateKey::agree(const KemPublicKey& peer) const {
  const Key other(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519, nullptr, reinterpret_cast<const unsigned char*>(peer.data()), peer.size()));
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, state_->key.get(), nullptr));
  if (other == nullptr || context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1) {
    return Error{Code::internal, "crypto.kem.agree"};
  }
  SecretBytes shared(kKeyBytes);
  std::size_t size = kKeyBytes;
  // The library itself refuses a result of zero.
  if (EVP_PKEY_derive(context.get(), raw(SecretReader::write(shared)), &size) != 1 ||
      size != kKeyBytes) {
    return Error{Code::unverified, "crypto.kem.small_order"};
  }
  return shared;
}

}  // namespace cloister
