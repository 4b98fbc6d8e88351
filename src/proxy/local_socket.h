#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// One local client's connection. Used by one thread, but for `cancel`.
class LocalStream {
 public:
  virtual ~LocalStream() = default;
  /// Waits for bytes and returns how many of `room` were filled: 0 at the end of what the client
  /// sends. Fails: `deadline` where none came in time, `unavailable` where the connection broke.
  virtual Result<std::size_t> read(MutableBytes room, std::chrono::milliseconds wait_max) = 0;
  /// Sends all of `bytes`. Fails: `unavailable` where the client is gone, or took none of them
  /// for a minute.
  virtual Status write(Bytes bytes) = 0;
  /// Sends nothing more, so that the client can read what was sent to the end.
  virtual void finish_writing() noexcept = 0;
  /// Breaks the connection. From any thread, while the stream lives.
  virtual void cancel() noexcept = 0;
};

/// Where local clients come in.
class LocalListener {
 public:
  virtual ~LocalListener() = default;  ///< removes the file of a Unix socket
  /// The next client. Safe from several threads. Fails: `unavailable` once cancelled.
  virtual Result<std::unique_ptr<LocalStream>> accept() = 0;
  virtual void cancel() noexcept = 0;
  virtual std::uint16_t port() const noexcept = 0;  ///< 0 for a Unix socket
};

/// Where to listen: a loopback address and a port (0: any free one), or the path of a Unix socket.
struct LocalAddress {
  std::string host;  ///< "127.0.0.1", "::1"; empty for a Unix socket
  std::uint16_t port = 0;
  std::string path;
};

/// Reads `127.0.0.1:PORT`, another address of 127.0.0.0/8, `localhost:PORT`, `[::1]:PORT` or
/// `unix:PATH`. Fails: `invalid` for anything else: plain HTTP does not leave this machine.
Result<LocalAddress> parse_local_address(std::string_view text);

/// Binds and listens. The file of a Unix socket is its owner's alone (mode 0600); one that nobody
/// listens on any more is replaced. Fails: `io`, the Detail says why. Implemented by proxy/posix.
Result<std::unique_ptr<LocalListener>> listen_locally(const LocalAddress& address);

}  // namespace cloister
