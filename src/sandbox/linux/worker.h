#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/engine.h"

namespace cloister {

/// Makes the engine that a worker runs its model with.
using MakeEngine = std::function<Result<std::unique_ptr<Engine>>()>;

/// The worker's whole life after it was started by WorkerProcess: makes the engine, says that it is
/// ready, takes one model, locks itself down, loads the model and runs what the lanes ask for.
/// Ends by being ended. Fails: whatever stopped it before that; nobody listens, so it just ends.
Status run_worker(const MakeEngine& make_engine);

}  // namespace cloister
