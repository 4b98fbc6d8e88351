#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace cloister {

/// `engine`, which runs models in this process, and optimises ahead of loading through this: into a
/// memory file, so that no weight lies in a folder in the clear. Nothing holds the optimiser back
/// meanwhile, as nothing holds a run back here. `runtime` names the runtime's library in
/// Engine::optimises_for. Where it is empty, or the host (a library OS) has no memory files that
/// can be opened by their path, nothing is optimised ahead.
std::unique_ptr<Engine> make_inline_engine(std::unique_ptr<Engine> engine, std::string runtime);

}  // namespace cloister
