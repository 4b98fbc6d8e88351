#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "sandbox/linux/worker_process.h"
#include "secret/private_memory.h"

namespace cloister {

/// Who may follow whom in one worker: a model that took it over could carry what it saw of one run
/// to the next.
enum class WorkerScope {
  model,      ///< everybody
  principal,  ///< the same caller only
  request,    ///< nobody: a worker for every run
};

struct SandboxSettings {
  /// The worker's program and the runtime's library: sealed memory files whose digests were
  /// checked (seal_file). They must stay open as long as the engine lives.
  WorkerProgram program;
  Confinement demanded;        ///< a host that permits less stops the start
  /// Names the runtime's library in Engine::optimises_for; empty: nothing is optimised ahead.
  std::string runtime;
  unsigned lanes = 2;          ///< requests that one model runs at a time; 1 to kLanesMax
  WorkerScope scope = WorkerScope::principal;
  /// Workers of one model where callers do not share them, the one kept ready for the next caller
  /// included.
  unsigned workers_max = 3;
  unsigned spares = 1;         ///< workers kept ready for the next model; 0 to 16
  std::uint64_t lane_bytes = 512ULL << 20;         ///< inputs and outputs of one request together
  std::uint64_t worker_memory_max = 16ULL << 30;   ///< private memory of one worker
  std::chrono::seconds load_time_max{120};
  std::chrono::milliseconds start_time_max{10'000};  ///< of a worker, up to its readiness
  /// What a run gets to end by itself after its deadline passed or its caller left.
  std::chrono::milliseconds grace{500};
  std::chrono::milliseconds restart_first{100};  ///< pause after a worker died; doubles each time
  unsigned deaths_max = 5;                       ///< of a model's workers, then quarantine
  std::chrono::seconds quarantine{600};
};

/// The engine that runs every model in a confined process of its own. A worker that dies, hangs or
/// breaks the protocol is ended and costs the requests that it was running; the model's next
/// request gets a new one. `clock` must outlive the engine, the engine its models.
/// Runs fail as LoadedModel says, and: `internal` where the worker died or lied; `unavailable`
/// while the model's workers keep dying; `busy` where no lane became free before the deadline.
class SandboxEngine : public Engine {
 public:
  /// What held the first worker back; every later one too, or it is not used.
  virtual const Confinement& in_force() const noexcept = 0;
};

/// Starts the first worker. Fails: `unavailable` (no worker can be started, or the host permits
/// less confinement than is demanded), `invalid` (settings).
Result<std::unique_ptr<SandboxEngine>> make_sandbox_engine(const SandboxSettings& settings,
                                                           const Clock& clock);

}  // namespace cloister
