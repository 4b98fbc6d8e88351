#include "crypto/aead.h"

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <utility>

#include "crypto/ipsec/processor.h"
#include "crypto/secret_reader.h"

// The functions behind the library's table, which its header does not declare. The table refers to
// every cipher there is; these alone are 0.5 MB of trusted code instead of 12.8.
extern "C" {
using GcmFunction = void(const gcm_key_data* key, gcm_context_data* context, std::uint8_t* out,
                         const std::uint8_t* in, std::uint64_t count, const std::uint8_t* nonce,
                         const std::uint8_t* associated, std::uint64_t associated_count,
                         std::uint8_t* tag, std::uint64_t tag_count);
GcmFunction aes_gcm_enc_256_vaes_avx512;
GcmFunction aes_gcm_dec_256_vaes_avx512;
void aes_gcm_precomp_256_vaes_avx512(gcm_key_data* key);
}

namespace cloister {
namespace {

class IpsecAead final : public Aead {
 public:
  explicit IpsecAead(const SecretBytes& key) : key_(std::make_unique<gcm_key_data>()) {
    aes_keyexp_256_enc_avx512(SecretReader::read(key).data(), key_->expanded_keys);
    aes_gcm_precomp_256_vaes_avx512(key_.get());
  }
  ~IpsecAead() override { wipe(std::as_writable_bytes(std::span(key_.get(), 1))); }

  Result<AeadTag> seal(const AeadNonce& nonce, Bytes associated, Bytes plaintext,
                       MutableBytes ciphertext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.seal.size"};
    return run(aes_gcm_enc_256_vaes_avx512, nonce, associated, plaintext, ciphertext);
  }

  Status open(const AeadNonce& nonce, Bytes associated, Bytes ciphertext, const AeadTag& tag,
              MutableBytes plaintext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.open.size"};
    const AeadTag computed =
        run(aes_gcm_dec_256_vaes_avx512, nonce, associated, ciphertext, plaintext);
    if (!equal_in_constant_time(computed, tag)) {
      wipe(plaintext);
      return Error{Code::corrupt, "crypto.open.tag"};
    }
    return Done{};
  }

 private:
  AeadTag run(GcmFunction& function, const AeadNonce& nonce, Bytes associated, Bytes from,
              MutableBytes to) const {
    // The library's only failure is a null pointer, refused even where there is nothing to read.
    std::byte nothing{};
    const auto* source = from.empty() ? &nothing : from.data();
    const auto* about = associated.empty() ? &nothing : associated.data();
    auto* target = to.empty() ? &nothing : to.data();
    gcm_context_data context;
    AeadTag tag{};
    function(key_.get(), &context, reinterpret_cast<std::uint8_t*>(target),
             reinterpret_cast<const std::uint8_t*>(source), from.size(),
             reinterpret_cast<const std::uint8_t*>(nonce.data()),
             reinterpret_cast<const std::uint8_t*>(about), associated.size(),
             reinterpret_cast<std::uint8_t*>(tag.data()), tag.size());
    wipe(std::as_writable_bytes(std::span(&context, 1)));
    return tag;
  }

  std::unique_ptr<gcm_key_data> key_;
};

class IpsecAeads final : public AeadMaker {
 public:
  Result<std::unique_ptr<Aead>> make(const SecretBytes& key) const override {
    if (key.size() != kAeadKeyBytes) return Error{Code::invalid, "crypto.aead.key"};
    return std::unique_ptr<Aead>(std::make_unique<IpsecAead>(key));
  }
  const char* name() const noexcept override { return "ipsec-mb"; }
};

}  // namespace

std::unique_ptr<AeadMaker> make_aeads_ipsec() {
  return processor_suits_ipsec() ? std::make_unique<IpsecAeads>() : nullptr;
}

}  // namespace cloister
