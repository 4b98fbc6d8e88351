#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace cloister {

/// OpenSSL on a plain blocking socket and nothing else: the floor that a server over TLS is
/// measured against, and the client of every measurement. TCP_NODELAY, TLS 1.3, one call of
/// SSL_write for each body, socket reads of up to 64 KiB. Failures end the program.
class BareTls {
 public:
  /// Connects to 127.0.0.1 and takes any certificate.
  static BareTls connect(std::uint16_t port);
  BareTls(BareTls&&) noexcept;
  ~BareTls();

  void write(Bytes bytes);
  /// Fills `room`; false at the end of the connection.
  bool read(MutableBytes room);
  /// Whatever is there, at least a byte; 0 at the end.
  std::size_t read_some(MutableBytes room);

 private:
  friend class BareServer;
  struct Parts;
  explicit BareTls(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// A child process that accepts connections one after the other, takes `request_bytes` at a time
/// and answers each with `answer_bytes`. Start it before any thread. Ends with this object.
class BareServer {
 public:
  BareServer(std::size_t request_bytes, std::size_t answer_bytes);
  ~BareServer();
  BareServer(const BareServer&) = delete;
  BareServer& operator=(const BareServer&) = delete;
  std::uint16_t port() const noexcept { return port_; }

 private:
  std::uint16_t port_ = 0;
  int process_ = -1;
};

}  // namespace cloister
