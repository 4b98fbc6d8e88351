#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "crypto/aead.h"
#include "http/message.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// The server's TLS identity: a PKCS #8 DER private key and its DER certificate.
struct TlsIdentity {
  SecretBytes private_key;
  ByteVector certificate;
};

struct ListenerSettings {
  std::string address = "127.0.0.1";  ///< a numeric IPv4 or IPv6 address
  std::uint16_t port = 0;             ///< 0: any free one
  std::size_t connections_max = 1024;  ///< past it, one makes room (docs/wire-api.md)
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t headers_max = 64;
  std::size_t target_bytes_max = 2048;
  std::chrono::seconds header_time_max{10};   ///< from the first byte of a head to its end
  std::chrono::seconds idle_time_max{75};     ///< between requests of one connection
  std::chrono::seconds handshake_time_max{10};
  std::chrono::seconds stall_time_max{20};    ///< a body or a response that makes no progress
  std::uint64_t body_bytes_per_second_min = 1024;
  std::size_t io_threads = 1;                 ///< 1 to 64; handlers run on each of them
};

/// An HTTPS listener: TLS 1.3 only, no tickets, no resumption, HTTP/1.1 with keep-alive.
/// Runs on threads of its own until stopped. Implemented by net/asio.
class HttpsServer {
 public:
  virtual ~HttpsServer() = default;
  virtual std::uint16_t port() const noexcept = 0;
  /// New connections get this identity; open ones go on. Fails: `invalid`; the old one stays.
  virtual Status replace_identity(TlsIdentity identity) = 0;
  /// Stops accepting, lets requests under way finish for at most `drain`, closes the rest and
  /// joins the threads. Idempotent.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

/// Binds, listens and starts. `handler` must outlive the server. `aeads` make the ciphers of
/// sessions with AES-256-GCM; where there are none, OpenSSL's own does. Fails: `io`, `invalid`,
/// `internal`.
Result<std::unique_ptr<HttpsServer>> start_https_server(
    const ListenerSettings& settings, TlsIdentity identity, RequestHandler& handler,
    std::shared_ptr<const AeadMaker> aeads = nullptr);

}  // namespace cloister
