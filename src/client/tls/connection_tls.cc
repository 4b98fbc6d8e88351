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
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <utility>

#include "client/connection.h"
#include "client/tls/request_text.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

namespace http = boost::beast::http;
using AnswerParser = http::response_parser<http::string_body>;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kSendBytes = 1U << 20;
constexpr std::uint32_t kAnswerHeadMax = 64 * 1024;
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

ContextOwner make_context() {
  ContextOwner context(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), take_any_certificate, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
  const bool good = SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) == 1;
  return good ? std::move(context) : nullptr;
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
    if (SSL_connect(tls_.get()) != 1) {
      return unavailable("the TLS 1.3 handshake failed: is this a Cloister server?");
    }
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

  Result<ClientResponse> exchange(const ClientRequest& request, const ClientBody& body,
                                  std::uint64_t answer_bytes_max) override {
    CLOISTER_ASSIGN(const std::uint64_t size, body_size(body));
    CLOISTER_ASSIGN(std::string head, request_text(request, host_, size));
    const Status sent = write(bytes_of(head));
    wipe(std::as_writable_bytes(std::span(head)));
    CLOISTER_TRY(sent);
    if (size > kUnaskedBytesMax) {
      CLOISTER_ASSIGN(ClientResponse first, read_answer(answer_bytes_max));
      if (first.status != 100) return first;
    }
    // A server that refuses half-way answers and closes: its answer counts, not the broken pipe.
    const Status written = write_body(body, size);
    if (!written.ok() && written.error().code != Code::unavailable) return written.error();
    CLOISTER_ASSIGN(ClientResponse answer, read_answer(answer_bytes_max));
    if (answer.status < 200) return Error{Code::corrupt, "client.interim_answer"};
    return answer;
  }

 private:
  static Result<std::uint64_t> body_size(const ClientBody& body) {
    if (body.file != nullptr) return body.file->size();
    return body.memory.size();
  }

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

  Status write_body(const ClientBody& body, std::uint64_t size) {
    ByteVector piece(body.file == nullptr ? 0 : std::min<std::uint64_t>(size, kSendBytes));
    for (std::uint64_t at = 0; at < size;) {
      const std::uint64_t count = std::min<std::uint64_t>(size - at, kSendBytes);
      Bytes next;
      if (body.file == nullptr) {
        next = body.memory.subspan(at, count);
      } else {
        CLOISTER_TRY(body.file->read_at(at, MutableBytes(piece).first(count)));
        next = Bytes(piece).first(count);
      }
      CLOISTER_TRY(write(next));
      at += count;
      if (body.progress) body.progress(at, size);
    }
    return Done{};
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

  Result<ClientResponse> read_answer(std::uint64_t bytes_max) {
    AnswerParser parser;
    parser.eager(true);
    parser.header_limit(kAnswerHeadMax);
    parser.body_limit(bytes_max);
    while (!parser.is_done()) {
      boost::beast::error_code error;
      const std::size_t used =
          parser.put(boost::asio::buffer(received_.data(), received_.size()), error);
      received_.erase(0, used);
      if (error == http::error::body_limit) return Error{Code::too_large, "client.answer"};
      if (error && error != http::error::need_more) return Error{Code::corrupt, "client.answer"};
      if (parser.is_done()) break;
      if (!error && used > 0 && !received_.empty()) continue;
      CLOISTER_ASSIGN(const bool more, read_more());
      if (more) continue;
      parser.put_eof(error);
      if (error || !parser.is_done()) return unavailable("the server closed the connection");
    }
    return response_of(parser.release());
  }

  static ClientResponse response_of(http::response<http::string_body> message) {
    ClientResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      std::string name(field.name_string());
      std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      response.headers.push_back({std::move(name), std::string(field.value())});
    }
    response.body = std::move(message.body());
    return response;
  }

  std::string host_;
  Socket socket_;
  ContextOwner context_;
  TlsOwner tls_;
  ByteVector certificate_;
  std::array<std::byte, 32> exporter_{};
  std::string received_;
};

}  // namespace

Result<std::unique_ptr<Connection>> connect_tls(const ServerUrl& url,
                                                const ConnectionSettings& settings) {
  CLOISTER_ASSIGN(Socket socket, connect_host(url, settings.connect_time_max));
  ContextOwner context = make_context();
  TlsOwner tls(context ? SSL_new(context.get()) : nullptr);
  const bool is_name = url.host.find(':') == std::string::npos &&
                       url.host.find_first_not_of("0123456789.") != std::string::npos;
  if (!tls || SSL_set_fd(tls.get(), socket.get()) != 1 ||
      (is_name && SSL_set_tlsext_host_name(tls.get(), url.host.c_str()) != 1)) {
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
