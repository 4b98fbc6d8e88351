#pragma once

#include <chrono>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "graph/admission.h"
#include "observe/events.h"
#include "residency/residency.h"
#include "vault/vault.h"

namespace cloister {

/// Whom a trial needs. All must outlive it.
struct TrialParts {
  Engine& engine;
  const GraphAdmission& admission;
  const Clock& clock;
  EventSink& events;
};

struct TrialSettings {
  /// Whether a model is also run on zeros. Only where a run that hangs or dies costs a worker: in
  /// the server's own process nothing could end it.
  bool run = false;
  std::chrono::seconds time_max{300};  ///< of each run
};

/// Memory that optimising and trying out a model of `cost` takes: a session of it with its copies,
/// and what the optimiser writes.
std::uint64_t trial_bytes(const ModelCost& cost) noexcept;

/// Has the engine optimise `staged`'s canonical model and adds what came back, read as hostile, to
/// it. Whether that came about: an engine that does not optimise, a model that it cannot write
/// (past 2 GiB) or a result that is refused leave the canonical model, which always serves.
/// Fails: `corrupt` and `io` from the vault.
Result<bool> add_optimised_form(const TrialParts& parts, StagedVersion& staged);

/// Loads what a server would load of `staged`, runs it once on zeros if `settings` say so, and
/// finds out whether weights in the runtime's own layout make an optimised form faster. What it
/// takes counts in `memory`, where trial_bytes were set aside. Why it is refused (a run that did
/// not end, or ended its process, or took more memory than there is for models), or nothing.
/// Fails: `refused` where the runtime refuses it; `unavailable` where memory was short; the vault's
/// and the engine's errors.
Result<std::vector<Finding>> try_out(const TrialParts& parts, const TrialSettings& settings,
                                     MemoryHold& memory, StagedVersion& staged);

/// Zeros for every input of `signature`; open extents become `open_extent`. The memory is in
/// `storage`.
Result<std::vector<NamedTensorView>> zero_inputs(const Signature& signature,
                                                 std::uint64_t open_extent,
                                                 std::vector<PrivateMemory>& storage);

}  // namespace cloister
