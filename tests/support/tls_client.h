#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/server.h"

namespace cloister {

/// A fresh P-256 key with a self-signed certificate.
TlsIdentity make_test_identity();
/// SHA-256 over the SubjectPublicKeyInfo of `identity`'s certificate.
std::array<std::byte, 32> spki_sha256(const TlsIdentity& identity);

/// What a raw client received as one answer.
struct ReceivedAnswer {
  int status = 0;
  std::string head;  ///< as received, with the status line
  std::string body;
  bool has(std::string_view header_line) const { return head.find(header_line) != head.npos; }
};

/// A blocking TLS client that sends exactly what it is told to. Every failure to connect, and a
/// wait of more than 20 seconds, throws std::runtime_error: the test fails.
class TlsClient {
 public:
  struct Settings {
    const TlsIdentity* identity = nullptr;  ///< a client certificate to offer
    bool old_version = false;               ///< offer TLS 1.2 only
    const char* cipher = nullptr;           ///< the only one of TLS 1.3 to offer
  };
  explicit TlsClient(std::uint16_t port);
  TlsClient(std::uint16_t port, const Settings& settings);
  TlsClient(TlsClient&&) noexcept;
  ~TlsClient();

  void send(std::string_view text);
  void send(Bytes bytes);
  /// False where the server hung up.
  bool try_send(std::string_view text);
  /// Reads one answer; nothing where the server closes first. `to_head`: it has no body.
  std::optional<ReceivedAnswer> receive(bool to_head = false);
  /// True once the server has ended the connection without sending anything more.
  bool ended();
  /// Whether bytes or an end are there within `milliseconds`.
  bool stirs_within(int milliseconds);
  /// Ends the TCP connection in both directions without a goodbye.
  void hang_up();
  int descriptor() const;
  std::array<std::byte, 32> exporter() const;
  std::string cipher() const;
  int tickets() const;  ///< session tickets received up to now
  /// New keys for what this end sends, and, `both`, for what the server sends.
  bool request_key_update(bool both = false);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
