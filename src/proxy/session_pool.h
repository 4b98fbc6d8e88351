#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "client/session.h"

namespace cloister {

struct PoolSettings {
  ServerUrl server;
  /// Whom to trust, asked anew for every connection, so that renewed collateral counts at once.
  std::function<Result<TrustSettings>()> trust;
  /// Sent with requests that bring no authorization of their own; may be null.
  std::shared_ptr<const SecretBytes> token;
  /// Told of every verdict on a new connection. Any thread.
  std::function<void(const Verdict&)> judged;
  std::size_t sessions_max = 64;
  std::chrono::seconds wait_max{20};  ///< for a session that becomes free
};

/// Verified connections to one server: idle ones are used again while their verdict holds, new
/// ones are verified like the first. Safe from several threads.
class SessionPool {
 public:
  /// `clock` and `entropy` must outlive the pool.
  SessionPool(PoolSettings settings, const Clock& clock, Entropy& entropy)
      : settings_(std::move(settings)), clock_(clock), entropy_(entropy) {}

  /// A session for one exchange. Connections are opened one at a time, because a server makes one
  /// piece of evidence at a time; who waits meanwhile shares the failure.
  /// Fails: `unverified` where the server's evidence is refused (nothing was sent to it then),
  /// `busy` where none becomes free in time, as ClientSession::open does.
  Result<std::unique_ptr<ClientSession>> take();
  /// Takes a session back; `may_serve`: its exchange went well.
  void give_back(std::unique_ptr<ClientSession> session, bool may_serve);
  /// Breaks all connections and opens no more.
  void stop();

 private:
  struct Idle {
    std::unique_ptr<ClientSession> session;
    SteadyTime since;
  };

  std::unique_ptr<ClientSession> take_idle() REQUIRES(mutex_);
  /// An idle session, or null: then the caller opens one and ends its turn with what came of it.
  Result<std::unique_ptr<ClientSession>> wait_for_turn(SteadyTime until);
  Status end_turn(const Result<std::unique_ptr<ClientSession>>& opened);
  Result<std::unique_ptr<ClientSession>> open();

  const PoolSettings settings_;
  const Clock& clock_;
  Entropy& entropy_;
  Mutex mutex_;
  Signal changed_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool opening_ GUARDED_BY(mutex_) = false;
  std::vector<Idle> idle_ GUARDED_BY(mutex_);
  std::vector<ClientSession*> taken_ GUARDED_BY(mutex_);
  std::size_t failures_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> last_failure_ GUARDED_BY(mutex_);
  SteadyTime rest_until_ GUARDED_BY(mutex_){};  ///< no evidence is asked for before
};

}  // namespace cloister
