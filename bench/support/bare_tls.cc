#include "support/bare_tls.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "base/check.h"

namespace cloister {
namespace {

constexpr std::size_t kReadAheadBytes = 64 * 1024;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

SSL_CTX* make_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  CLOISTER_CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
  SSL_CTX_set_num_tickets(context, 0);
  return context;
}

void use_fresh_identity(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  CLOISTER_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  CLOISTER_CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  CLOISTER_CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

}  // namespace

struct BareTls::Parts {
  int descriptor = -1;
  SSL_CTX* context = nullptr;
  SSL* session = nullptr;

  ~Parts() {
    if (session != nullptr) SSL_shutdown(session);
    SSL_free(session);
    SSL_CTX_free(context);
    if (descriptor >= 0) ::close(descriptor);
  }
};

BareTls::BareTls(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
BareTls::BareTls(BareTls&&) noexcept = default;
BareTls::~BareTls() = default;

BareTls BareTls::connect(std::uint16_t port) {
  auto parts = std::make_unique<Parts>();
  parts->descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  CLOISTER_CHECK(::connect(parts->descriptor, reinterpret_cast<const sockaddr*>(&address),
                           sizeof address) == 0);
  no_delay(parts->descriptor);
  parts->context = make_context(TLS_client_method());
  parts->session = SSL_new(parts->context);
  SSL_set_fd(parts->session, parts->descriptor);
  CLOISTER_CHECK(SSL_connect(parts->session) == 1);
  return BareTls(std::move(parts));
}

void BareTls::write(Bytes bytes) {
  std::size_t count = 0;
  CLOISTER_CHECK(SSL_write_ex(parts_->session, bytes.data(), bytes.size(), &count) == 1);
  CLOISTER_CHECK(count == bytes.size());
}

bool BareTls::read(MutableBytes room) {
  while (!room.empty()) {
    const std::size_t count = read_some(room);
    if (count == 0) return false;
    room = room.subspan(count);
  }
  return true;
}

std::size_t BareTls::read_some(MutableBytes room) {
  std::size_t count = 0;
  return SSL_read_ex(parts_->session, room.data(), room.size(), &count) == 1 ? count : 0;
}

BareServer::BareServer(std::size_t request_bytes, std::size_t answer_bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CLOISTER_CHECK(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  CLOISTER_CHECK(::listen(listener, 16) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  process_ = ::fork();
  CLOISTER_CHECK(process_ >= 0);
  if (process_ > 0) {
    ::close(listener);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  SSL_CTX* context = make_context(TLS_server_method());
  use_fresh_identity(context);
  std::vector<std::byte> request(request_bytes);
  const std::vector<std::byte> answer(answer_bytes);
  for (;;) {
    auto parts = std::make_unique<BareTls::Parts>();
    parts->descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    no_delay(parts->descriptor);
    parts->session = SSL_new(context);
    SSL_set_fd(parts->session, parts->descriptor);
    if (SSL_accept(parts->session) != 1) continue;
    BareTls connection(std::move(parts));
    while (connection.read(request)) connection.write(answer);
  }
}

BareServer::~BareServer() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace cloister
