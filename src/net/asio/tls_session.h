#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls_library.h"
#include "http/message.h"
#include "net/server.h"

namespace cloister {

/// What every connection of one identity shares: TLS 1.3 only, no tickets, no resumption, no
/// early data; a client certificate is asked for and taken as it is, for its key alone.
/// Immutable; safe from any thread.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
};

/// `library` must outlive the context and its sessions. Fails: `invalid` where key and certificate
/// do not parse or do not belong together.
Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsLibrary& library,
                                                           const TlsIdentity& identity);

/// How far a step of a TLS session came.
enum class TlsState {
  done,        ///< progress was made
  want_read,   ///< nothing until the socket has bytes
  want_write,  ///< nothing until the socket takes bytes
  ended,       ///< the peer closed, or broke the protocol: nothing more will come or go
};
struct TlsStep {
  TlsState state;
  std::size_t bytes = 0;  ///< read or written, with `done`
};

/// The server's side of TLS on one non-blocking socket. OpenSSL reads and writes the socket itself:
/// no bytes pass through buffers of ours (docs/design/0010-net.md). One thread at a time.
class TlsSession {
 public:
  virtual ~TlsSession() = default;
  virtual TlsState handshake() = 0;
  /// Up to `room.size()` bytes of what the peer sent.
  virtual TlsStep read(MutableBytes room) = 0;
  /// At least one record's worth of `bytes`. After `want_write` the same bytes must come again.
  virtual TlsStep write(Bytes bytes) = 0;
  /// Says goodbye, if the socket takes it at once.
  virtual void close() noexcept = 0;
  /// Channel binding and client key, once the handshake is done; `connection` is left alone.
  /// Source: RFC 9266, 2 (no context, 32 bytes). Fails: `internal`.
  virtual Status describe(ConnectionFacts& facts) const = 0;
};

/// `descriptor`: a connected, non-blocking socket that outlives the session. Fails: `internal`.
Result<std::unique_ptr<TlsSession>> make_tls_session(const TlsContext& context, int descriptor);

}  // namespace cloister
