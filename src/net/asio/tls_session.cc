#include "net/asio/tls_session.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <string_view>

#include "secret/wiped_heap.h"

namespace cloister {
namespace {

// Handshake messages after the handshake: key updates, which an honest peer sends once in many
// millions of records.
constexpr std::size_t kLateMessagesMax = 64;
// OpenSSL reads the socket in pieces of this size, so that a large body costs few system calls.
constexpr std::size_t kReadAheadBytes = 64 * 1024;
constexpr long kClientCertificateBytesMax = 32 * 1024;
constexpr std::string_view kExporterLabel = "EXPORTER-Channel-Binding";

template <auto kFree>
struct Freed {
  template <class Object>
  void operator()(Object* object) const noexcept {
    kFree(object);
  }
};
using ContextOwner = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using SessionOwner = std::unique_ptr<SSL, Freed<SSL_free>>;
using KeyOwner = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyInfoOwner = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;
using CertificateOwner = std::unique_ptr<X509, Freed<X509_free>>;

const unsigned char* octets(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

class OpenSslContext final : public TlsContext {
 public:
  explicit OpenSslContext(ContextOwner context) : context_(std::move(context)) {}
  SSL_CTX* get() const noexcept { return context_.get(); }

 private:
  ContextOwner context_;
};

/// The chain is nobody's business here: who the key belongs to is decided above, by its digest.
/// The handshake itself proves that the client holds the key.
int take_any_certificate(X509_STORE_CTX*, void*) { return 1; }
int take_any_verdict(int, X509_STORE_CTX*) { return 1; }

/// Whether what OpenSSL frees is wiped: crypto/library.h.
bool frees_wiped() noexcept {
  CRYPTO_free_fn release = nullptr;
  CRYPTO_get_mem_functions(nullptr, nullptr, &release);
  return release == free_wiped;
}

bool restrict(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A connection frees its buffer whenever it has read all of it. Wiping the buffer then is quicker
  // than OpenSSL's own wiping of each piece: it writes eight bytes at a time.
  if (!frees_wiped()) SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any_verdict);
  SSL_CTX_set_cert_verify_callback(context, take_any_certificate, nullptr);
  SSL_CTX_set_max_cert_list(context, kClientCertificateBytesMax);
  // A library that knows the hybrid with ML-KEM-768 prefers it; older ones do without.
  const bool groups = SSL_CTX_set1_groups_list(context, "X25519MLKEM768:X25519:P-256:P-384") == 1 ||
                      SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
  return groups && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 &&
         SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
                                           "TLS_CHACHA20_POLY1305_SHA256") == 1;
}

struct LateMessages {
  bool handshake_done = false;
  std::size_t count = 0;
};

/// Counts what a peer may not send without end once the handshake is done, and hangs up on it.
void count_late_messages(int write, int, int type, const void*, std::size_t, SSL* session,
                         void* argument) {
  LateMessages& late = *static_cast<LateMessages*>(argument);
  if (write != 0 || type != SSL3_RT_HANDSHAKE || !late.handshake_done) return;
  if (++late.count == kLateMessagesMax) ::shutdown(SSL_get_fd(session), SHUT_RDWR);
}

class OpenSslSession final : public TlsSession {
 public:
  explicit OpenSslSession(SessionOwner session) : session_(std::move(session)) {
    SSL_set_msg_callback(session_.get(), count_late_messages);
    SSL_set_msg_callback_arg(session_.get(), &late_);
    SSL_set_accept_state(session_.get());
  }
  OpenSslSession(const OpenSslSession&) = delete;
  OpenSslSession& operator=(const OpenSslSession&) = delete;

  TlsState handshake() override {
    ERR_clear_error();
    const int result = SSL_do_handshake(session_.get());
    if (result != 1) return failed(result);
    late_.handshake_done = true;
    return TlsState::done;
  }

  TlsStep read(MutableBytes room) override {
    if (broken_) return {TlsState::ended};
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(session_.get(), room.data(), room.size(), &count);
    return result == 1 ? TlsStep{TlsState::done, count} : TlsStep{failed(result)};
  }

  TlsStep write(Bytes bytes) override {
    if (broken_) return {TlsState::ended};
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &count);
    return result == 1 ? TlsStep{TlsState::done, count} : TlsStep{failed(result)};
  }

  void close() noexcept override {
    if (broken_ || !late_.handshake_done) return;
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
  }

  Status describe(ConnectionFacts& facts) const override {
    if (SSL_export_keying_material(session_.get(),
                                   reinterpret_cast<unsigned char*>(facts.tls_exporter.data()),
                                   facts.tls_exporter.size(), kExporterLabel.data(),
                                   kExporterLabel.size(), nullptr, 0, 0) != 1) {
      return Error{Code::internal, "net.tls.exporter"};
    }
    const CertificateOwner certificate(SSL_get1_peer_certificate(session_.get()));
    if (certificate == nullptr) return Done{};
    unsigned char* encoded = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &encoded);
    if (size <= 0) return Error{Code::internal, "net.tls.client_key"};
    auto& digest = facts.client_spki_sha256.emplace();
    const int hashed = EVP_Digest(encoded, static_cast<std::size_t>(size),
                                  reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                                  EVP_sha256(), nullptr);
    OPENSSL_free(encoded);
    if (hashed != 1) return Error{Code::internal, "net.tls.client_key"};
    return take_chain(certificate.get(), facts);
  }

 private:
  Status take_chain(X509* own, ConnectionFacts& facts) const {
    std::vector<ByteVector> chain;
    const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(session_.get());
    // On a server the list is without the client's own certificate.
    const int above = sent == nullptr ? 0 : sk_X509_num(sent);
    for (int i = -1; i < above; ++i) {
      unsigned char* encoded = nullptr;
      const int size = i2d_X509(i < 0 ? own : sk_X509_value(sent, i), &encoded);
      if (size <= 0) return Error{Code::internal, "net.tls.client_chain"};
      const Bytes der = std::as_bytes(std::span(encoded, static_cast<std::size_t>(size)));
      chain.push_back(copy_of(der));
      OPENSSL_free(encoded);
    }
    facts.client_chain = std::make_shared<const std::vector<ByteVector>>(std::move(chain));
    return Done{};
  }

  TlsState failed(int result) noexcept {
    switch (SSL_get_error(session_.get(), result)) {
      case SSL_ERROR_WANT_READ: return TlsState::want_read;
      case SSL_ERROR_WANT_WRITE: return TlsState::want_write;
      case SSL_ERROR_ZERO_RETURN: return TlsState::ended;
      default:
        broken_ = true;
        return TlsState::ended;
    }
  }

  SessionOwner session_;
  LateMessages late_;
  bool broken_ = false;
};

}  // namespace

/// Takes the private key out of its secret bytes: the one reader of it here.
class TlsCredentials {
 public:
  static Bytes server_key(const TlsIdentity& identity) {
    return identity.private_key.reveal(RevealToken());
  }
};

Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsLibrary& library,
                                                           const TlsIdentity& identity) {
  const Bytes key_bytes = TlsCredentials::server_key(identity);
  if (key_bytes.size() > LONG_MAX || identity.certificate.size() > LONG_MAX) {
    return Error{Code::invalid, "net.tls.identity"};
  }
  const unsigned char* at = octets(key_bytes);
  const KeyInfoOwner info(
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(key_bytes.size())));
  const KeyOwner key(info == nullptr ? nullptr
                                     : EVP_PKCS82PKEY_ex(info.get(), library.context(), nullptr));
  at = octets(identity.certificate);
  const CertificateOwner certificate(
      d2i_X509(nullptr, &at, static_cast<long>(identity.certificate.size())));
  ContextOwner context(
      SSL_CTX_new_ex(library.context(), library.properties(), TLS_server_method()));
  const bool good = key != nullptr && certificate != nullptr && context != nullptr &&
                    restrict(context.get()) &&
                    SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1 &&
                    SSL_CTX_check_private_key(context.get()) == 1;
  ERR_clear_error();
  if (!good) return Error{Code::invalid, "net.tls.identity"};
  return std::shared_ptr<const TlsContext>(
      std::make_shared<const OpenSslContext>(std::move(context)));
}

Result<std::unique_ptr<TlsSession>> make_tls_session(const TlsContext& context, int descriptor) {
  const auto* shared = dynamic_cast<const OpenSslContext*>(&context);
  CLOISTER_CHECK(shared != nullptr);
  SessionOwner session(SSL_new(shared->get()));
  if (session == nullptr || SSL_set_fd(session.get(), descriptor) != 1) {
    ERR_clear_error();
    return Error{Code::internal, "net.tls.session"};
  }
  return std::unique_ptr<TlsSession>(std::make_unique<OpenSslSession>(std::move(session)));
}

}  // namespace cloister
