#pragma once

#include <atomic>
#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/engine.h"
#include "secret/private_memory.h"
#include "serving/job_queue.h"
#include "serving/model_options.h"
#include "serving/statistics.h"

namespace cloister {

/// One request's part of a run. `outputs` lie in memory that `owner` keeps.
struct BatchShare {
  std::vector<NamedTensorView> outputs;
  std::shared_ptr<const void> owner;
  SteadyTime started{};   ///< the batch left the queue
  SteadyTime gathered{};  ///< its inputs lay together
  SteadyTime finished{};  ///< the model had run
};

/// A request that may be run together with others: it is checked against the signature, and every
/// input has the same outermost extent, `rows`, which is 1 to the model's bound.
struct BatchRequest {
  std::shared_ptr<const VersionRecord> record;
  std::vector<NamedTensorView> inputs;
  std::vector<std::string> outputs;  ///< empty: all of the model's
  PrincipalId whose;
  std::uint64_t rows = 1;
  std::uint64_t priority = 0;  ///< 1 goes first; 0, the default, last
  SteadyTime deadline{};
  SteadyTime arrived{};  ///< set by the batcher
  std::shared_ptr<const std::atomic<std::uint32_t>> gone;  ///< 1: nobody waits for it any more
  /// Called once, on any thread; keeps what `inputs` lie in.
  std::function<void(Result<BatchShare>)> done;
};

/// What one run of a model yields.
struct BatchOutputs {
  std::vector<NamedTensorView> tensors;  ///< in memory that `owner` keeps
  std::shared_ptr<const void> owner;
};
using RunModel = std::function<Result<BatchOutputs>(
    const VersionRecord& record, const std::vector<NamedTensorView>& inputs,
    const std::vector<std::string>& outputs, RunControl& control)>;

/// Puts requests of one model together, as its owner's options say: only requests of the same
/// principal, unless the owner allows more, and only those whose inputs differ in nothing but
/// their rows. While a batch runs the next one gathers. A batch that fails is run again one by
/// one, so that no request fails for another's sake. Safe from several threads.
class Batcher {
 public:
  /// All of it outlives the batcher.
  struct Parts {
    RunModel run_model;
    Statistics& statistics;
    const Clock& clock;
    JobQueue& runs;
  };
  explicit Batcher(Parts parts);
  ~Batcher();  ///< as `stop`
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void add(BatchRequest request, const ModelOptions& options);
  /// Fails what waits with `unavailable`, and all that comes. Call it before the queue of runs
  /// stops. Idempotent.
  void stop();

 private:
  /// What requests must have in common.
  struct Key {
    VersionRef version;
    std::string whose;
    std::vector<std::string> outputs;
    std::string inputs;  ///< names, types and inner extents, in one text
    auto operator<=>(const Key&) const = default;
  };
  using Batch = std::vector<BatchRequest>;
  struct Group {
    Batch waiting;  ///< in the order in which they go
    std::uint64_t rows = 0;
    ModelOptions options;
    std::size_t running = 0;
  };
  struct Due {
    Key key;
    Batch batch;
    Batch late;  ///< whose deadline passed, or whose sender went
  };
  class Run;

  static Key key_of(const BatchRequest& request, const ModelOptions& options);
  void watch() EXCLUDES(mutex_);
  /// Takes what is to run now out of a group.
  Due take(const Key& key, Group& group, SteadyTime now) REQUIRES(mutex_);
  /// When the requests of a group have waited as long as its options say.
  static SteadyTime waited_at(const Group& group);
  SteadyTime next_look(const Group& group) const REQUIRES(mutex_);
  void wake_for(const Group& group) REQUIRES(mutex_);
  void dispatch(Due due) EXCLUDES(mutex_);
  void run(Batch& batch);
  void finished(const Key& key) EXCLUDES(mutex_);

  const Parts parts_;
  PrivateMemoryPool memory_;
  Mutex mutex_;
  Signal changed_;
  std::map<Key, Group> groups_ GUARDED_BY(mutex_);
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  SteadyTime look_at_ GUARDED_BY(mutex_) = SteadyTime::max();
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread watcher_;  // last: it uses everything above
};

}  // namespace cloister
