#include "crypto/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "crypto/secret_reader.h"

// OpenSSL asks a provider for its functions by number (provider(7), provider-cipher(7)). Ours has
// one cipher, as much of it as the record layer of TLS 1.3 uses: a key; for each record a nonce,
// the tag where it is opened, the associated data, the whole content in one piece, the tag where it
// was sealed. Whatever comes in another order fails.
namespace cloister {
namespace {

constexpr char kName[] = "cloister";
constexpr char kProperties[] = "provider=cloister";
constexpr char kPreferred[] = "?provider=cloister";
constexpr std::size_t kAssociatedMax = 64;  // a record's head is 5 bytes

class RecordCipher {
 public:
  explicit RecordCipher(const AeadMaker& aeads) : aeads_(aeads) {}
  RecordCipher(const RecordCipher&) = delete;
  RecordCipher& operator=(const RecordCipher&) = delete;
  ~RecordCipher() {
    wipe(nonce_);
    wipe(tag_);
  }

  bool begin(bool seals, Bytes key, Bytes nonce) {
    seals_ = seals;
    tag_known_ = false;
    step_ = Step::idle;
    if (!key.empty() && !take_key(key)) return false;
    if (nonce.empty()) return true;
    if (nonce.size() != kAeadNonceBytes || aead_ == nullptr) return false;
    std::ranges::copy(nonce, nonce_.begin());
    associated_bytes_ = 0;
    step_ = Step::ready;
    return true;
  }

  bool associate(Bytes bytes) {
    if (step_ != Step::ready || bytes.size() > kAssociatedMax - associated_bytes_) return false;
    std::ranges::copy(bytes, associated_.begin() + static_cast<std::ptrdiff_t>(associated_bytes_));
    associated_bytes_ += bytes.size();
    return true;
  }

  /// The one piece of content. A nonce is good for one.
  bool run(Bytes from, MutableBytes to) {
    if (std::exchange(step_, Step::idle) != Step::ready) return false;
    const Bytes associated = Bytes(associated_).first(associated_bytes_);
    if (!seals_) {
      if (!tag_known_ || !aead_->open(nonce_, associated, from, tag_, to).ok()) return false;
      step_ = Step::done;
      return true;
    }
    const auto tag = aead_->seal(nonce_, associated, from, to);
    if (!tag.ok()) return false;
    tag_ = tag.value();
    step_ = Step::done;
    return true;
  }

  bool finish() const noexcept { return step_ == Step::done; }

  bool expect(Bytes tag) noexcept {
    if (seals_ || step_ != Step::ready || tag.size() != tag_.size()) return false;
    std::ranges::copy(tag, tag_.begin());
    tag_known_ = true;
    return true;
  }
  /// Nothing where no record was sealed.
  const AeadTag* sealed_tag() const noexcept {
    return seals_ && step_ == Step::done ? &tag_ : nullptr;
  }

 private:
  enum class Step { idle, ready, done };

  bool take_key(Bytes key) {
    aead_.reset();
    SecretBytes own(key.size());
    std::ranges::copy(key, SecretReader::write(own).begin());
    auto aead = aeads_.make(own);
    if (!aead.ok()) return false;
    aead_ = std::move(aead).value();
    return true;
  }

  const AeadMaker& aeads_;
  std::unique_ptr<Aead> aead_;
  bool seals_ = false;
  bool tag_known_ = false;
  Step step_ = Step::idle;
  AeadNonce nonce_{};
  std::array<std::byte, kAssociatedMax> associated_{};
  std::size_t associated_bytes_ = 0;
  AeadTag tag_{};
};

Bytes octets(const unsigned char* start, std::size_t size) noexcept {
  if (start == nullptr) return {};
  return std::as_bytes(std::span(start, size));
}

RecordCipher& cipher_of(void* context) noexcept { return *static_cast<RecordCipher*>(context); }

// What OpenSSL calls: 1 is success, and nothing may be thrown through it.

void* new_cipher(void* aeads) noexcept {
  return new (std::nothrow) RecordCipher(*static_cast<const AeadMaker*>(aeads));
}
void free_cipher(void* context) noexcept { delete static_cast<RecordCipher*>(context); }

const OSSL_PARAM* settable(void*, void*) noexcept {
  static const OSSL_PARAM kSettable[] = {
      OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, nullptr, 0),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, nullptr), OSSL_PARAM_END};
  return kSettable;
}

int set_parameters(void* context, const OSSL_PARAM parameters[]) noexcept {
  if (parameters == nullptr) return 1;
  if (const OSSL_PARAM* tag = OSSL_PARAM_locate_const(parameters, OSSL_CIPHER_PARAM_AEAD_TAG)) {
    const auto* const data = static_cast<const unsigned char*>(tag->data);
    if (tag->data_type != OSSL_PARAM_OCTET_STRING) return 0;
    if (!cipher_of(context).expect(octets(data, tag->data_size))) return 0;
  }
  if (const OSSL_PARAM* size = OSSL_PARAM_locate_const(parameters, OSSL_CIPHER_PARAM_IVLEN)) {
    std::size_t bytes = 0;
    if (OSSL_PARAM_get_size_t(size, &bytes) != 1 || bytes != kAeadNonceBytes) return 0;
  }
  return 1;
}

const OSSL_PARAM* gettable(void*, void*) noexcept {
  static const OSSL_PARAM kGettable[] = {
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, nullptr),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, nullptr),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, nullptr),
      OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, nullptr, 0), OSSL_PARAM_END};
  return kGettable;
}

bool set_size(OSSL_PARAM parameters[], const char* name, std::size_t value) noexcept {
  OSSL_PARAM* const asked = OSSL_PARAM_locate(parameters, name);
  return asked == nullptr || OSSL_PARAM_set_size_t(asked, value) == 1;
}

int get_parameters(void* context, OSSL_PARAM parameters[]) noexcept {
  if (!set_size(parameters, OSSL_CIPHER_PARAM_KEYLEN, kAeadKeyBytes) ||
      !set_size(parameters, OSSL_CIPHER_PARAM_IVLEN, kAeadNonceBytes) ||
      !set_size(parameters, OSSL_CIPHER_PARAM_AEAD_TAGLEN, kAeadTagBytes)) {
    return 0;
  }
  OSSL_PARAM* const asked = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_AEAD_TAG);
  if (asked == nullptr) return 1;
  const AeadTag* const tag = cipher_of(context).sealed_tag();
  if (tag == nullptr || asked->data_size != tag->size()) return 0;
  return OSSL_PARAM_set_octet_string(asked, tag->data(), tag->size());
}

int begin(bool seals, void* context, const unsigned char* key, std::size_t key_bytes,
          const unsigned char* nonce, std::size_t nonce_bytes,
          const OSSL_PARAM parameters[]) noexcept {
  try {
    return cipher_of(context).begin(seals, octets(key, key_bytes), octets(nonce, nonce_bytes)) &&
           set_parameters(context, parameters) == 1;
  } catch (...) {
    return 0;  // memory is short
  }
}
int begin_sealing(void* context, const unsigned char* key, std::size_t key_bytes,
                  const unsigned char* nonce, std::size_t nonce_bytes,
                  const OSSL_PARAM parameters[]) noexcept {
  return begin(true, context, key, key_bytes, nonce, nonce_bytes, parameters);
}
int begin_opening(void* context, const unsigned char* key, std::size_t key_bytes,
                  const unsigned char* nonce, std::size_t nonce_bytes,
                  const OSSL_PARAM parameters[]) noexcept {
  return begin(false, context, key, key_bytes, nonce, nonce_bytes, parameters);
}

int update(void* context, unsigned char* to, std::size_t* written, std::size_t room,
           const unsigned char* from, std::size_t size) noexcept {
  *written = size;
  if (to == nullptr) return cipher_of(context).associate(octets(from, size));
  if (room < size) return 0;
  try {
    return cipher_of(context).run(octets(from, size),
                                  std::as_writable_bytes(std::span(to, size)));
  } catch (...) {
    return 0;
  }
}

int finish(void* context, unsigned char*, std::size_t* written, std::size_t) noexcept {
  *written = 0;
  return cipher_of(context).finish();
}

const OSSL_PARAM* describable(void*) noexcept {
  static const OSSL_PARAM kDescribable[] = {
      OSSL_PARAM_uint(OSSL_CIPHER_PARAM_MODE, nullptr),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, nullptr),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, nullptr),
      OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_BLOCK_SIZE, nullptr),
      OSSL_PARAM_int(OSSL_CIPHER_PARAM_AEAD, nullptr),
      OSSL_PARAM_int(OSSL_CIPHER_PARAM_CUSTOM_IV, nullptr), OSSL_PARAM_END};
  return kDescribable;
}

int describe(OSSL_PARAM parameters[]) noexcept {
  OSSL_PARAM* asked = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_MODE);
  if (asked != nullptr && OSSL_PARAM_set_uint(asked, EVP_CIPH_GCM_MODE) != 1) return 0;
  for (const char* const name : {OSSL_CIPHER_PARAM_AEAD, OSSL_CIPHER_PARAM_CUSTOM_IV}) {
    asked = OSSL_PARAM_locate(parameters, name);
    if (asked != nullptr && OSSL_PARAM_set_int(asked, 1) != 1) return 0;
  }
  return set_size(parameters, OSSL_CIPHER_PARAM_KEYLEN, kAeadKeyBytes) &&
         set_size(parameters, OSSL_CIPHER_PARAM_IVLEN, kAeadNonceBytes) &&
         set_size(parameters, OSSL_CIPHER_PARAM_BLOCK_SIZE, 1);
}

template <class Function>
constexpr OSSL_DISPATCH entry(int number, Function* function) noexcept {
  return {number, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) noexcept {
  static const OSSL_DISPATCH kFunctions[] = {
      entry(OSSL_FUNC_CIPHER_NEWCTX, new_cipher),
      entry(OSSL_FUNC_CIPHER_FREECTX, free_cipher),
      entry(OSSL_FUNC_CIPHER_ENCRYPT_INIT, begin_sealing),
      entry(OSSL_FUNC_CIPHER_DECRYPT_INIT, begin_opening),
      entry(OSSL_FUNC_CIPHER_UPDATE, update),
      entry(OSSL_FUNC_CIPHER_FINAL, finish),
      entry(OSSL_FUNC_CIPHER_GET_PARAMS, describe),
      entry(OSSL_FUNC_CIPHER_GETTABLE_PARAMS, describable),
      entry(OSSL_FUNC_CIPHER_GET_CTX_PARAMS, get_parameters),
      entry(OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, gettable),
      entry(OSSL_FUNC_CIPHER_SET_CTX_PARAMS, set_parameters),
      entry(OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, settable),
      {0, nullptr}};
  static const OSSL_ALGORITHM kCiphers[] = {
      {"AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", kProperties, kFunctions,
       "for the records of TLS 1.3"},
      {nullptr, nullptr, nullptr, nullptr}};
  *no_cache = 0;
  return operation == OSSL_OP_CIPHER ? kCiphers : nullptr;
}

/// For the provider that this thread loads: OpenSSL hands nothing of ours to its start.
thread_local const AeadMaker* loaded_with = nullptr;

int start_provider(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions,
                   void** context) noexcept {
  static const OSSL_DISPATCH kFunctions[] = {entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                             {0, nullptr}};
  *functions = kFunctions;
  *context = const_cast<AeadMaker*>(loaded_with);
  return 1;
}

class OpenSslTlsLibrary final : public TlsLibrary {
 public:
  explicit OpenSslTlsLibrary(std::shared_ptr<const AeadMaker> aeads) : aeads_(std::move(aeads)) {}
  OpenSslTlsLibrary(const OpenSslTlsLibrary&) = delete;
  OpenSslTlsLibrary& operator=(const OpenSslTlsLibrary&) = delete;
  ~OpenSslTlsLibrary() override {
    for (OSSL_PROVIDER* const each : providers_) {
      if (each != nullptr) OSSL_PROVIDER_unload(each);
    }
    OSSL_LIB_CTX_free(context_);
  }

  bool load() {
    context_ = OSSL_LIB_CTX_new();
    if (context_ == nullptr) return false;
    providers_[0] = OSSL_PROVIDER_load(context_, "default");
    if (providers_[0] == nullptr || aeads_ == nullptr) return providers_[0] != nullptr;
    if (OSSL_PROVIDER_add_builtin(context_, kName, start_provider) != 1) return false;
    loaded_with = aeads_.get();
    providers_[1] = OSSL_PROVIDER_load(context_, kName);
    loaded_with = nullptr;
    return providers_[1] != nullptr;
  }

  ossl_lib_ctx_st* context() const noexcept override { return context_; }
  const char* properties() const noexcept override { return kPreferred; }

 private:
  std::shared_ptr<const AeadMaker> aeads_;
  OSSL_LIB_CTX* context_ = nullptr;
  std::array<OSSL_PROVIDER*, 2> providers_{};
};

}  // namespace

Result<std::shared_ptr<const TlsLibrary>> make_tls_library(
    std::shared_ptr<const AeadMaker> aeads) {
  auto library = std::make_shared<OpenSslTlsLibrary>(std::move(aeads));
  const bool loaded = library->load();
  ERR_clear_error();
  if (!loaded) return Error{Code::internal, "crypto.tls_library"};
  return std::shared_ptr<const TlsLibrary>(std::move(library));
}

}  // namespace cloister
