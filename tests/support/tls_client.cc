#include "support/tls_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace cloister {
namespace {

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

ByteVector encoded(int size, unsigned char* bytes) {
  require(size > 0, "encode");
  const auto* start = reinterpret_cast<const std::byte*>(bytes);
  ByteVector copy(start, start + size);
  OPENSSL_free(bytes);
  return copy;
}

int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(descriptor >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "connect");
  const timeval wait{20, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}


}  // namespace

struct SecretForTest {
  static Bytes reveal(const SecretBytes& secret) { return secret.reveal(RevealToken()); }
};

TlsIdentity make_test_identity() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  require(key != nullptr && certificate != nullptr, "identity");
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_set_pubkey(certificate, key);
  require(X509_sign(certificate, key, EVP_sha256()) > 0, "sign");
  unsigned char* bytes = nullptr;
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key);
  int size = i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);
  TlsIdentity identity;
  identity.private_key = SecretBytes(encoded(size, bytes));
  bytes = nullptr;
  size = i2d_X509(certificate, &bytes);
  identity.certificate = encoded(size, bytes);
  PKCS8_PRIV_KEY_INFO_free(info);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

std::array<std::byte, 32> spki_sha256(const TlsIdentity& identity) {
  const auto* at = reinterpret_cast<const unsigned char*>(identity.certificate.data());
  X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(identity.certificate.size()));
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
  const ByteVector spki = encoded(size, bytes);
  X509_free(certificate);
  std::array<std::byte, 32> digest{};
  EVP_Digest(spki.data(), spki.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
             EVP_sha256(), nullptr);
  return digest;
}

void count_tickets(int write, int, int type, const void* message, std::size_t size, SSL*,
                   void* tickets) {
  const bool ticket = write == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
                      *static_cast<const unsigned char*>(message) == SSL3_MT_NEWSESSION_TICKET;
  if (ticket) ++*static_cast<int*>(tickets);
}

/// A context of the connection's own where it has settings, else one that all share: making one
/// takes longer than a handshake.
SSL_CTX* client_context(const TlsClient::Settings& settings) {
  if (settings.old_version || settings.identity != nullptr || settings.cipher != nullptr) {
    return SSL_CTX_new(TLS_client_method());
  }
  static const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> shared(
      SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_up_ref(shared.get());
  return shared.get();
}

struct TlsClient::Parts {
  int descriptor = -1;
  SSL_CTX* context = nullptr;
  SSL* session = nullptr;
  std::string received;
  int tickets = 0;

  ~Parts() {
    SSL_free(session);
    SSL_CTX_free(context);
    if (descriptor >= 0) ::close(descriptor);
  }

  /// False at the end of the connection.
  bool fill() {
    char piece[16384];
    std::size_t count = 0;
    ERR_clear_error();
    if (SSL_read_ex(session, piece, sizeof piece, &count) == 1) {
      received.append(piece, count);
      return true;
    }
    require(SSL_get_error(session, 0) != SSL_ERROR_WANT_READ, "the server kept silent");
    return false;
  }
};

TlsClient::TlsClient(std::uint16_t port) : TlsClient(port, Settings()) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

TlsClient::TlsClient(std::uint16_t port, const Settings& settings)
    : parts_(std::make_unique<Parts>()) {
  std::signal(SIGPIPE, SIG_IGN);
  parts_->descriptor = connect_to(port);
  parts_->context = client_context(settings);
  SSL_CTX* context = parts_->context;
  require(context != nullptr, "context");
  if (settings.cipher != nullptr) {
    require(SSL_CTX_set_ciphersuites(context, settings.cipher) == 1, "cipher");
  }
  if (settings.old_version) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (settings.identity != nullptr) {
    const Bytes key = SecretForTest::reveal(settings.identity->private_key);
    const auto& der = settings.identity->certificate;
    const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
    EVP_PKEY* parsed = d2i_AutoPrivateKey(nullptr, &bytes, static_cast<long>(key.size()));
    require(SSL_CTX_use_PrivateKey(context, parsed) == 1, "client key");
    EVP_PKEY_free(parsed);
    require(SSL_CTX_use_certificate_ASN1(context, static_cast<int>(der.size()),
                                         reinterpret_cast<const unsigned char*>(der.data())) == 1,
            "client certificate");
  }
  parts_->session = SSL_new(context);
  SSL_set_msg_callback(parts_->session, count_tickets);
  SSL_set_msg_callback_arg(parts_->session, &parts_->tickets);
  SSL_set_fd(parts_->session, parts_->descriptor);
  require(SSL_connect(parts_->session) == 1, "handshake");
}

void TlsClient::send(std::string_view text) { require(try_send(text), "send"); }
void TlsClient::send(Bytes bytes) { send(text_of(bytes)); }

bool TlsClient::try_send(std::string_view text) {
  std::size_t count = 0;
  ERR_clear_error();
  return text.empty() || SSL_write_ex(parts_->session, text.data(), text.size(), &count) == 1;
}

std::optional<ReceivedAnswer> TlsClient::receive(bool to_head) {
  std::string& received = parts_->received;
  std::size_t end = 0;
  while ((end = received.find("\r\n\r\n")) == received.npos) {
    if (!parts_->fill()) return std::nullopt;
  }
  ReceivedAnswer answer;
  answer.head = received.substr(0, end + 4);
  answer.status = std::atoi(answer.head.c_str() + 9);
  received.erase(0, end + 4);
  const std::size_t length_at = answer.head.find("content-length: ");
  std::size_t length = 0;
  if (!to_head && length_at != answer.head.npos) {
    length = std::strtoull(answer.head.c_str() + length_at + 16, nullptr, 10);
  }
  while (received.size() < length) require(parts_->fill(), "the answer's body ended early");
  answer.body = received.substr(0, length);
  received.erase(0, length);
  return answer;
}

bool TlsClient::ended() { return parts_->received.empty() && !parts_->fill(); }

bool TlsClient::stirs_within(int milliseconds) {
  if (!parts_->received.empty() || SSL_has_pending(parts_->session) == 1) return true;
  pollfd wait{parts_->descriptor, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) == 1;
}

void TlsClient::hang_up() { ::shutdown(parts_->descriptor, SHUT_RDWR); }
int TlsClient::descriptor() const { return parts_->descriptor; }

std::array<std::byte, 32> TlsClient::exporter() const {
  std::array<std::byte, 32> value{};
  SSL_export_keying_material(parts_->session, reinterpret_cast<unsigned char*>(value.data()),
                             value.size(), "EXPORTER-Channel-Binding", 24, nullptr, 0, 0);
  return value;
}

std::string TlsClient::cipher() const { return SSL_get_cipher_name(parts_->session); }
int TlsClient::tickets() const { return parts_->tickets; }

bool TlsClient::request_key_update(bool both) {
  ERR_clear_error();
  const int type = both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
  return SSL_key_update(parts_->session, type) == 1 &&
         SSL_do_handshake(parts_->session) == 1;
}

}  // namespace cloister
