#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "proxy/local_socket.h"
#include "proxy/relay.h"

namespace cloister {

/// What Host may say to a proxy that listens there, in lower case.
std::vector<std::string> own_names_of(const LocalAddress& address, std::uint16_t port);

/// Lets local clients use a verified server over plain HTTP. One thread serves one connection;
/// past `connections_max` the connection that has been idle longest makes room.
class Proxy {
 public:
  static constexpr std::size_t kConnectionsMax = 128;

  /// `service` and what it names must outlive the proxy.
  Proxy(std::unique_ptr<LocalListener> listener, const RelayService& service,
        std::size_t connections_max = kConnectionsMax);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy() { stop(std::chrono::milliseconds{0}); }

  /// Fails: `io` where there are no threads.
  Status start();
  /// Takes no more connections, lets requests under way finish for at most `drain`, breaks the
  /// rest and joins the threads. Idempotent.
  void stop(std::chrono::milliseconds drain);

 private:
  struct Open {
    LocalStream* stream;
    std::atomic<bool> is_idle = true;
  };

  void work();
  void serve(LocalStream& stream);
  Status add_thread() REQUIRES(mutex_);
  void make_room() REQUIRES(mutex_);
  void cancel_open(bool idle_only) REQUIRES(mutex_);

  const RelayService& service_;
  const std::size_t connections_max_;
  std::unique_ptr<LocalListener> listener_;
  Mutex mutex_;
  Signal ended_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;  ///< threads that wait for a connection
  std::list<Open> open_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_ GUARDED_BY(mutex_);
};

}  // namespace cloister
