#include "crypto/aead.h"

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <utility>

#include "crypto/ipsec/library.h"
#include "crypto/secret_reader.h"

namespace cloister {
namespace {

using Library = std::shared_ptr<IMB_MGR>;

class IpsecAead final : public Aead {
 public:
  IpsecAead(Library library, const SecretBytes& key)
      : library_(std::move(library)), key_(std::make_unique<gcm_key_data>()) {
    IMB_AES256_GCM_PRE(library_.get(), SecretReader::read(key).data(), key_.get());
  }
  ~IpsecAead() override { wipe(std::as_writable_bytes(std::span(key_.get(), 1))); }

  Result<AeadTag> seal(const AeadNonce& nonce, Bytes associated, Bytes plaintext,
                       MutableBytes ciphertext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.seal.size"};
    return run(library_->gcm256_enc, nonce, associated, plaintext, ciphertext);
  }

  Status open(const AeadNonce& nonce, Bytes associated, Bytes ciphertext, const AeadTag& tag,
              MutableBytes plaintext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.open.size"};
    const AeadTag computed = run(library_->gcm256_dec, nonce, associated, ciphertext, plaintext);
    if (!equal_in_constant_time(computed, tag)) {
      wipe(plaintext);
      return Error{Code::corrupt, "crypto.open.tag"};
    }
    return Done{};
  }

 private:
  AeadTag run(aes_gcm_enc_dec_t function, const AeadNonce& nonce, Bytes associated, Bytes from,
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

  Library library_;
  std::unique_ptr<gcm_key_data> key_;
};

class IpsecAeads final : public AeadMaker {
 public:
  explicit IpsecAeads(Library library) noexcept : library_(std::move(library)) {}
  Result<std::unique_ptr<Aead>> make(const SecretBytes& key) const override {
    if (key.size() != kAeadKeyBytes) return Error{Code::invalid, "crypto.aead.key"};
    return std::unique_ptr<Aead>(std::make_unique<IpsecAead>(library_, key));
  }
  const char* name() const noexcept override { return "ipsec-mb"; }

 private:
  Library library_;
};

}  // namespace

std::unique_ptr<AeadMaker> make_aeads_ipsec() {
  Library library = open_ipsec_library();
  if (library == nullptr) return nullptr;
  return std::make_unique<IpsecAeads>(std::move(library));
}

}  // namespace cloister
