// TLS 1.3 over a blocking socket with time limits, and HTTP/1.1 on it; Beast parses the answers.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <optional>
#include <utility>

#include "client/connection.h"
#include "client/tls/answer_reader.h"
#include "client/tls/request_text.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::string_view kExporterLabel = "EXPORTER-Channel-Binding";

template <auto kFree>
struct Freed {
  template <class Object>
  void operator()(Object* object) const noexcept {
    kFree(object);
  }
};
using ContextOwner = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using TlsOwner = std::unique_ptr<SSL, Freed<SSL_free>>;
using CertificateOwner = std::unique_ptr<X509, Freed<X509_free>>;
using AddressesOwner = std::unique_ptr<addrinfo, Freed<freeaddrinfo>>;

Error unavailable(const char* why) {
  return Error{Code::unavailable, "client.connection", Detail(why)};
}

/// A peer that answers, but not with TLS 1.3, is no server of ours or somebody in the middle who
/// wants less than that; one that falls silent may be there again later.
Error handshake_failure(unsigned long reason) {
  const auto refused = [](const char* why) {
    return Error{Code::unverified, "client.handshake", Detail(why)};
  };
  if (ERR_GET_LIB(reason) != ERR_LIB_SSL ||
      ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return unavailable("the connection ended in the TLS handshake");
  }
  switch (ERR_GET_REASON(reason)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
      return refused("downgrade refused: the server speaks plain text where TLS 1.3 must be");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
      return refused("downgrade refused: the server has nothing newer than TLS 1.2");
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return refused("the certificate of the service does not hold: its root, or its name");
    default:
      return refused("the TLS 1.3 handshake does not hold: this is no server of ours");
  }
}

/// A socket that is closed with its owner.
class Socket {
 public:
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

/// How long one read or write may wait.
bool limit_waits(const Socket& socket, std::chrono::seconds limit) {
  const timeval time{static_cast<time_t>(limit.count()), 0};
  return setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 &&
         setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0;
}

/// Linux lets SO_SNDTIMEO bound connect() as well.
std::optional<Socket> connect_address(const addrinfo& address, std::chrono::seconds limit) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket.get() < 0 || !limit_waits(socket, limit)) return std::nullopt;
  if (connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) return std::nullopt;
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

Result<Socket> connect_host(const ServerUrl& url, std::chrono::seconds limit) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found) != 0) {
    return unavailable("the host's name does not resolve");
  }
  const AddressesOwner addresses(found);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (auto socket = connect_address(*each, limit)) return std::move(*socket);
  }
  return unavailable("nobody answers at that address");
}

/// Any certificate passes the library's own check: the evidence in it decides, later.
int take_any_certificate(X509_STORE_CTX*, void*) { return 1; }

bool trust_roots(SSL_CTX* context, const std::string& roots_file) {
  if (roots_file.empty()) return SSL_CTX_set_default_verify_paths(context) == 1;
  return SSL_CTX_load_verify_file(context, roots_file.c_str()) == 1;
}

ContextOwner make_context(const ConnectionSettings& settings) {
  ContextOwner context(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!settings.public_service) {
    SSL_CTX_set_cert_verify_callback(context.get(), take_any_certificate, nullptr);
  } else if (!trust_roots(context.get(), settings.roots_file)) {
    return nullptr;
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
  const int oldest = settings.public_service ? TLS1_2_VERSION : TLS1_3_VERSION;
  const bool good = SSL_CTX_set_min_proto_version(context.get(), oldest) == 1 &&
                    SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) == 1;
  return good ? std::move(context) : nullptr;
}

/// Names the host that is asked for, and has the certificate hold to it where `checked`.
bool expect_name(SSL* tls, const std::string& host, bool checked) {
  const bool is_name = host.find(':') == std::string::npos &&
                       host.find_first_not_of("0123456789.") != std::string::npos;
  if (is_name && SSL_set_tlsext_host_name(tls, host.c_str()) != 1) return false;
  if (!checked) return true;
  return is_name ? SSL_set1_host(tls, host.c_str()) == 1
                 : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str()) == 1;
}

Result<ByteVector> certificate_of(SSL* tls) {
  const CertificateOwner certificate(SSL_get1_peer_certificate(tls));
  if (!certificate) return unavailable("the server showed no certificate");
  const int size = i2d_X509(certificate.get(), nullptr);
  if (size <= 0) return unavailable("the server's certificate cannot be read");
  ByteVector der(static_cast<std::size_t>(size));
  auto* place = reinterpret_cast<unsigned char*>(der.data());
  if (i2d_X509(certificate.get(), &place) != size) {
    return unavailable("the server's certificate cannot be read");
  }
  return der;
}

class TlsConnection final : public Connection {
 public:
  TlsConnection(const ServerUrl& url, Socket socket, ContextOwner context, TlsOwner tls)
      : host_(host_header(url)),
        socket_(std::move(socket)),
        context_(std::move(context)),
        tls_(std::move(tls)) {}
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection() override {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
  }

  Status handshake() {
    ERR_clear_error();
    if (SSL_connect(tls_.get()) != 1) return handshake_failure(ERR_peek_error());
    CLOISTER_ASSIGN(certificate_, certificate_of(tls_.get()));
    const unsigned char none = 0;
    if (SSL_export_keying_material(tls_.get(),
                                   reinterpret_cast<unsigned char*>(exporter_.data()),
                                   exporter_.size(), kExporterLabel.data(), kExporterLabel.size(),
                                   &none, 0, 1) != 1) {
      return Error{Code::internal, "client.exporter"};
    }
    return Done{};
  }
  bool limit_stalls(std::chrono::seconds limit) { return limit_waits(socket_, limit); }

  const ByteVector& peer_certificate() const noexcept override { return certificate_; }
  const std::array<std::byte, 32>& tls_exporter() const noexcept override { return exporter_; }

  Status stream(const ClientRequest& request, BodySource* body, AnswerSink& sink) override {
    const bool was_reusable = std::exchange(reusable_, false);
    if (!was_reusable) return unavailable("the connection is used up");
    const auto size = body == nullptr ? std::optional<std::uint64_t>(0) : body->size();
    CLOISTER_ASSIGN(std::string head, request_text(request, host_, size));
    const Status sent = write(bytes_of(head));
    wipe(std::as_writable_bytes(std::span(head)));
    CLOISTER_TRY(sent);
    const bool to_head = request.method == "HEAD";
    if (size.value_or(kUnaskedBytesMax + 1) > kUnaskedBytesMax) {
      CLOISTER_ASSIGN(const Answered first, read_answer(sink, to_head));
      if (first.status >= 200) return Done{};
      if (first.status != 100) return Error{Code::corrupt, "client.interim_answer"};
    }
    // A server that refuses half-way answers and closes: its answer counts, not the broken pipe.
    bool whole = true;
    if (body != nullptr && size != std::uint64_t{0}) {
      CLOISTER_ASSIGN(whole, write_body(*body, size));
    }
    CLOISTER_ASSIGN(const Answered last, read_answer(sink, to_head));
    if (last.status < 200) return Error{Code::corrupt, "client.interim_answer"};
    reusable_ = whole && last.keeps_alive && received_.empty();
    return Done{};
  }

  bool reusable() const noexcept override {
    if (!reusable_ || cancelled_) return false;
    // Nothing was asked: whatever there is to read, an end included, ends this connection's use.
    std::byte one;
    return recv(socket_.get(), &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void cancel() noexcept override {
    cancelled_ = true;
    shutdown(socket_.get(), SHUT_RDWR);
  }

 private:
  struct Answered {
    int status;
    bool keeps_alive;
  };

  Status write(Bytes bytes) {
    while (!bytes.empty()) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &count) != 1) {
        return unavailable("the connection broke while sending");
      }
      bytes = bytes.subspan(count);
    }
    return Done{};
  }

  /// False where the connection breaks. Fails: as `body` does, and `io` where it gives another
  /// number of bytes than it said.
  Result<bool> write_body(BodySource& body, std::optional<std::uint64_t> size) {
    std::uint64_t sent = 0;
    while (true) {
      CLOISTER_ASSIGN(const Bytes piece, body.next());
      if (size && piece.size() > *size - sent) return Error{Code::io, "client.body.size"};
      if (piece.empty()) break;
      sent += piece.size();
      if (!write_piece(piece, !size).ok()) return false;
    }
    if (size) return sent == *size ? Result<bool>(true) : Error{Code::io, "client.body.size"};
    return write(bytes_of("0\r\n\r\n")).ok();
  }

  /// As a chunk of its own where the length was not told before. Source: RFC 9112, 7.1.
  Status write_piece(Bytes piece, bool chunked) {
    if (!chunked) return write(piece);
    std::array<char, 20> line;
    const auto end = std::to_chars(line.data(), line.data() + 16, piece.size(), 16).ptr;
    const std::string_view digits(line.data(), static_cast<std::size_t>(end - line.data()));
    CLOISTER_TRY(write(bytes_of(std::string(digits) + "\r\n")));
    CLOISTER_TRY(write(piece));
    return write(bytes_of("\r\n"));
  }

  /// Appends to what was received. False at the end of the connection.
  Result<bool> read_more() {
    const std::size_t had = received_.size();
    received_.resize(had + kReadBytes);
    ERR_clear_error();
    std::size_t count = 0;
    const int outcome = SSL_read_ex(tls_.get(), received_.data() + had, kReadBytes, &count);
    received_.resize(had + count);
    if (outcome == 1) return true;
    if (SSL_get_error(tls_.get(), outcome) == SSL_ERROR_ZERO_RETURN) return false;
    return unavailable("the connection broke or stalled while waiting for the answer");
  }

  Result<Answered> read_answer(AnswerSink& sink, bool to_head) {
    const auto reader = make_answer_reader(sink, to_head);
    while (true) {
      CLOISTER_ASSIGN(const std::size_t used, reader->take(bytes_of(received_)));
      wipe(std::as_writable_bytes(std::span(received_).first(used)));
      received_.erase(0, used);
      if (reader->finished()) break;
      CLOISTER_ASSIGN(const bool more, read_more());
      if (more) continue;
      CLOISTER_TRY(reader->end());
      return Answered{reader->status(), false};
    }
    return Answered{reader->status(), reader->keeps_alive()};
  }

  std::string host_;
  Socket socket_;
  ContextOwner context_;
  TlsOwner tls_;
  ByteVector certificate_;
  std::array<std::byte, 32> exporter_{};
  std::string received_;
  bool reusable_ = true;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace

Result<std::unique_ptr<Connection>> connect_tls(const ServerUrl& url,
                                                const ConnectionSettings& settings) {
  CLOISTER_ASSIGN(Socket socket, connect_host(url, settings.connect_time_max));
  ContextOwner context = make_context(settings);
  if (!context && settings.public_service) {
    return Error{Code::not_found, "client.roots", Detail("the roots to trust cannot be read")};
  }
  TlsOwner tls(context ? SSL_new(context.get()) : nullptr);
  if (!tls || SSL_set_fd(tls.get(), socket.get()) != 1 ||
      !expect_name(tls.get(), url.host, settings.public_service)) {
    return Error{Code::internal, "client.tls"};
  }
  auto connection = std::make_unique<TlsConnection>(url, std::move(socket), std::move(context),
                                                    std::move(tls));
  CLOISTER_TRY(connection->handshake());
  if (!connection->limit_stalls(settings.stall_time_max)) {
    return Error{Code::internal, "client.socket"};
  }
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace cloister
