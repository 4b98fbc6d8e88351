#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "net/asio/connection.h"

namespace cloister {
namespace {

constexpr std::uint64_t kKeptBodyBytesMax = 64U << 20;
constexpr std::size_t kThreadsMax = 64;

void set_option(int descriptor, int level, int name) noexcept {
  const int on = 1;
  ::setsockopt(descriptor, level, name, &on, sizeof on);
}

/// Signals are the main thread's business; a write to a closed socket is an error, not a signal.
void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// The connections of one loop. Used on its thread, and by `stop` once that has ended.
struct Group {
  std::shared_ptr<EventLoop> loop;
  std::unordered_map<std::uint64_t, std::shared_ptr<HttpConnection>> connections;
  bool ticking = false;
  bool finishing = false;
};

class AsioHttpsServer final : public HttpsServer {
 public:
  AsioHttpsServer(const ListenerSettings& settings, std::shared_ptr<const TlsLibrary> library,
                  RequestHandler& handler)
      : settings_(settings), library_(std::move(library)), bodies_(kKeptBodyBytesMax),
        service_{settings_, handler, bodies_} {}
  AsioHttpsServer(const AsioHttpsServer&) = delete;
  AsioHttpsServer& operator=(const AsioHttpsServer&) = delete;
  ~AsioHttpsServer() override { stop(std::chrono::milliseconds{0}); }

  Status start(const TlsIdentity& identity) {
    if (settings_.io_threads == 0 || settings_.io_threads > kThreadsMax) {
      return Error{Code::invalid, "net.threads"};
    }
    CLOISTER_TRY(replace(identity));
    for (std::size_t i = 0; i < settings_.io_threads; ++i) {
      CLOISTER_ASSIGN(auto loop, make_event_loop([this] { service_.handler.settle(); }));
      groups_.push_back(std::make_unique<Group>());
      groups_.back()->loop = std::move(loop);
    }
    CLOISTER_ASSIGN(listener_, listen_on(*groups_[0]->loop, settings_.address, settings_.port,
                                         [this](int descriptor) { on_accepted(descriptor); }));
    port_ = listener_->port();
    try {
      for (const auto& group : groups_) {
        threads_.emplace_back([loop = group->loop] {
          block_signals();
          loop->run();
        });
      }
    } catch (...) {
      return Error{Code::io, "net.threads"};
    }
    return Done{};
  }

  std::uint16_t port() const noexcept override { return port_; }

  Status replace_identity(TlsIdentity identity) override { return replace(identity); }

  void stop(std::chrono::milliseconds drain) override {
    if (stopped_.exchange(true)) return;
    for (const auto& group : groups_) {
      group->loop->post([this, &group = *group] {
        if (&group == groups_[0].get()) listener_.reset();
        finish(group);
      });
    }
    wait_for_end(std::chrono::steady_clock::now() + drain);
    for (const auto& group : groups_) group->loop->close();
    threads_.clear();  // joins
    listener_.reset();
    for (const auto& group : groups_) {
      close_all(*group);
      group->loop->drain();
      group->connections.clear();
    }
  }

 private:
  Status replace(const TlsIdentity& identity) {
    CLOISTER_ASSIGN(auto context, make_tls_context(*library_, identity));
    const MutexLock lock(mutex_);
    context_ = std::move(context);
    return Done{};
  }

  void on_accepted(int descriptor) noexcept {
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE);
    count_opened();
    Group& group = *groups_[next_++ % groups_.size()];
    if (group.loop->on_this_thread()) return adopt(group, descriptor);
    try {
      if (group.loop->post([this, &group, descriptor] { adopt(group, descriptor); })) return;
    } catch (...) {
    }
    ::close(descriptor);
    on_ended();
  }

  void adopt(Group& group, int descriptor) noexcept {
    try {
      if (add(group, descriptor).ok()) return;
    } catch (...) {
      // Memory is short; what owns the descriptor has closed it.
    }
    on_ended();
  }

  Status add(Group& group, int descriptor) {
    CLOISTER_ASSIGN(auto socket, group.loop->watch(descriptor));
    if (group.finishing) return Error{Code::unavailable, "net.stopping"};
    if (too_many() && !make_room(group)) return Error{Code::busy, "net.connections"};
    std::shared_ptr<const TlsContext> context;
    {
      const MutexLock lock(mutex_);
      context = context_;
    }
    CLOISTER_ASSIGN(auto tls, make_tls_session(*context, descriptor));
    const std::uint64_t id = ++connections_made_;
    const auto connection = std::make_shared<HttpConnection>(
        id, service_, group.loop, std::move(socket), std::move(tls), [this, &group, id] {
          on_ended();
          try {
            group.loop->post([&group, id] { group.connections.erase(id); });
          } catch (...) {
            // Stays in the table, closed, until the server stops.
          }
        });
    group.connections.emplace(id, connection);
    if (!group.ticking) {
      group.ticking = true;
      group.loop->start_ticking([&group](SteadyTime now) { return tick(group, now); });
    }
    connection->start();
    return Done{};
  }

  /// Closes the connection whose end costs least, of equals the one that is at it longest: a flood
  /// of silent connections then replaces its own, and not those of busy clients. Of requests of
  /// principals under way only one of a principal who has more than half of all connections.
  static bool make_room(Group& group) {
    using Loss = HttpConnection::Loss;
    using Candidate = std::tuple<Loss, std::uint64_t, HttpConnection*>;
    std::optional<Candidate> victim;
    std::unordered_map<std::uint64_t, std::vector<Candidate>> under_way;
    for (const auto& [id, connection] : group.connections) {
      const auto loss = connection->loss();
      if (!loss) continue;
      const Candidate candidate{*loss, id, connection.get()};
      if (loss->kind == Loss::Kind::request) {
        under_way[connection->whose()].push_back(candidate);
      } else if (!victim || candidate < *victim) {
        victim = candidate;
      }
    }
    for (const auto& [whose, requests] : under_way) {
      if (victim || requests.size() * 2 <= group.connections.size()) continue;
      victim = *std::ranges::min_element(requests);
    }
    if (victim) std::get<HttpConnection*>(*victim)->close();
    return victim.has_value();
  }

  static bool tick(Group& group, SteadyTime now) {
    for (const auto& [id, connection] : group.connections) connection->on_tick(now);
    group.ticking = !group.connections.empty();
    return group.ticking;
  }

  static void finish(Group& group) noexcept {
    group.finishing = true;
    for (const auto& [id, connection] : group.connections) connection->finish();
  }

  static void close_all(Group& group) noexcept {
    for (const auto& [id, connection] : group.connections) connection->close();
  }

  void count_opened() noexcept {
    const MutexLock lock(mutex_);
    ++open_;
  }
  bool too_many() noexcept {
    const MutexLock lock(mutex_);
    return open_ > settings_.connections_max;
  }

  void on_ended() noexcept {
    const MutexLock lock(mutex_);
    --open_;
    if (open_ == 0) all_ended_.notify_all();
  }

  void wait_for_end(SteadyTime until) {
    const MutexLock lock(mutex_);
    while (open_ > 0 && all_ended_.wait_until(mutex_, until)) {
    }
  }

  const ListenerSettings settings_;
  const std::shared_ptr<const TlsLibrary> library_;
  PrivateMemoryPool bodies_;
  const ConnectionService service_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::unique_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;
  std::atomic<std::uint64_t> connections_made_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  Signal all_ended_;
  std::shared_ptr<const TlsContext> context_ GUARDED_BY(mutex_);
  std::size_t open_ GUARDED_BY(mutex_) = 0;
  std::vector<std::jthread> threads_;  // last: the loops run on them
};

}  // namespace

Result<std::unique_ptr<HttpsServer>> start_https_server(const ListenerSettings& settings,
                                                        TlsIdentity identity,
                                                        RequestHandler& handler,
                                                        std::shared_ptr<const AeadMaker> aeads) {
  CLOISTER_ASSIGN(auto library, make_tls_library(std::move(aeads)));
  auto server = std::make_unique<AsioHttpsServer>(settings, std::move(library), handler);
  CLOISTER_TRY(server->start(identity));
  return std::unique_ptr<HttpsServer>(std::move(server));
}

}  // namespace cloister
