#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace cloister {

/// What a socket's waits report to. All calls come on the loop's thread.
class SocketEvents {
 public:
  virtual ~SocketEvents() = default;
  /// Bytes, an end or an error wait to be read.
  virtual void on_readable() noexcept = 0;
  virtual void on_writable() noexcept = 0;
};

/// A connected socket's place in a loop. Used on the loop's thread only.
class SocketWatch {
 public:
  virtual ~SocketWatch() = default;  ///< closes the socket; waits under way end without a report
  virtual int descriptor() const noexcept = 0;
  /// Reports once to `events`, which is kept alive until then. One wait of a kind at a time.
  /// Fails: `io`.
  virtual Status wait_readable(std::shared_ptr<SocketEvents> events) noexcept = 0;
  virtual Status wait_writable(std::shared_ptr<SocketEvents> events) noexcept = 0;
};

/// One I/O thread's loop: Asio tells when sockets are ready, nothing else is asked of it.
class EventLoop {
 public:
  virtual ~EventLoop() = default;
  /// Works until `close`, on the thread that calls it.
  virtual void run() noexcept = 0;
  /// Runs `task` soon on the loop's thread, from any thread. False once closed, and where memory
  /// is short: the task is dropped.
  virtual bool post(std::function<void()> task) noexcept = 0;
  /// The same for what takes long, or what strangers can ask for in crowds: one such task at a
  /// time, and before the next whatever else has become due. On the loop's thread.
  virtual bool post_patiently(std::function<void()> task) noexcept = 0;
  virtual bool on_this_thread() const noexcept = 0;
  /// Calls what the loop was made with once what is due now is done, however often it is asked to
  /// before. On the loop's thread.
  virtual void settle_soon() noexcept = 0;
  /// Ends `run`. Tasks posted before still run, here, once `run` has returned: call it from
  /// another thread, then join, then call `drain`. Patient ones are dropped.
  virtual void close() noexcept = 0;
  virtual void drain() noexcept = 0;
  /// Takes over a connected socket, whatever happens. On the loop's thread. Fails: `io`.
  virtual Result<std::unique_ptr<SocketWatch>> watch(int descriptor) noexcept = 0;
  /// Calls `tick` about every quarter of a second while it returns true. On the loop's thread.
  virtual void start_ticking(std::function<bool(SteadyTime)> tick) noexcept = 0;
};

/// `settle`: what `settle_soon` calls; must not throw. Fails: `io`.
Result<std::shared_ptr<EventLoop>> make_event_loop(std::function<void()> settle);

/// A listening socket of one loop.
class Listener {
 public:
  virtual ~Listener() = default;  ///< stops listening; on the loop's thread or after it ended
  virtual std::uint16_t port() const noexcept = 0;
};

/// Binds a numeric address and calls `accepted` with each connected, non-blocking, close-on-exec
/// socket, on the loop's thread; the callee owns it. Fails: `invalid` (the address), `io`.
Result<std::unique_ptr<Listener>> listen_on(EventLoop& loop, const std::string& address,
                                            std::uint16_t port,
                                            std::function<void(int)> accepted);

}  // namespace cloister
