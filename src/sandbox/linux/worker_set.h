#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/engine.h"
#include "sandbox/linux/live_worker.h"
#include "sandbox/linux/sandbox_engine.h"

namespace cloister {

/// The workers of one model: as many as there are callers who may not share one, up to a bound,
/// and one that nobody has used, kept for the next caller. They read the same weights. Safe from
/// several threads.
class WorkerSet {
 public:
  /// Makes a worker with the model loaded. Called on the thread that waits for it, or on that of
  /// `prepare`. Fails: as Engine::load does.
  using Make = std::function<Result<std::shared_ptr<LiveWorker>>()>;

  /// `settings` and `clock` must outlive it. `died` is told of every worker that broke.
  WorkerSet(const SandboxSettings& settings, const Clock& clock, Make make,
            std::function<void()> died);

  /// Takes in a worker that nobody used yet.
  void add(std::shared_ptr<LiveWorker> worker) EXCLUDES(mutex_);
  /// The same, in place of all others: they end with the runs that they have.
  void replace(std::shared_ptr<LiveWorker> worker) EXCLUDES(mutex_);

  /// One lane of one worker, for one run.
  struct Use {
    std::shared_ptr<LiveWorker> worker;
    std::size_t lane = 0;
  };
  /// Waits for a lane of a worker that `control`'s caller may use; makes a worker where there is
  /// none. Fails: `busy` (no lane before the deadline), `unavailable` (cancelled), as `Make`.
  Result<Use> take(const RunControl& control) EXCLUDES(mutex_);
  /// Gives it back. True where `prepare` should be called, on a thread that may wait.
  bool give_back(const Use& use) EXCLUDES(mutex_);
  /// Has a worker that nobody used ready for the next new caller.
  void prepare() EXCLUDES(mutex_);

  /// Bytes of all workers beside the weights, as measured last; `measure` does it anew.
  std::uint64_t overhead_bytes() const noexcept {
    return overhead_bytes_.load(std::memory_order_relaxed);
  }
  void measure() EXCLUDES(mutex_);
  /// Processor time of those that live, together; nothing where one just ended.
  std::optional<std::chrono::nanoseconds> processor_time() const EXCLUDES(mutex_);
  /// Ends every worker: runs under way fail.
  void end() EXCLUDES(mutex_);

 private:
  struct Slot {
    std::shared_ptr<LiveWorker> worker;
    std::string caller;  ///< whom it has served; none where it is fresh
    bool fresh = true;
    std::vector<std::size_t> free;  ///< lanes
    std::uint64_t last_used = 0;
  };
  using Slots = std::vector<Slot>;

  /// Moves dead workers into `gone`, whose destruction is slow.
  void drop_dead(Slots& gone) REQUIRES(mutex_);
  /// The slot that serves `caller` now or may from now on, perhaps without a free lane.
  Slots::iterator slot_for(const std::string& caller) REQUIRES(mutex_);
  /// Whether one more worker may be started; makes room among the idle ones.
  bool make_room(Slots& gone) REQUIRES(mutex_);
  bool idle(const Slot& slot) const { return slot.free.size() == settings_.lanes; }
  bool wants_fresh() const REQUIRES(mutex_);

  const SandboxSettings& settings_;
  const Clock& clock_;
  const Make make_;
  const std::function<void()> died_;
  std::atomic<std::uint64_t> overhead_bytes_{0};
  mutable Mutex mutex_;
  Signal changed_;
  Slots slots_ GUARDED_BY(mutex_);
  unsigned starting_ GUARDED_BY(mutex_) = 0;
  bool many_callers_ GUARDED_BY(mutex_) = false;  // more than one so far
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cloister
