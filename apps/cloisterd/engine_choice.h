#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/server_config.h"
#include "engine/engine.h"
#include "start_checks.h"

namespace cloister {

/// The engine that the configuration asks for, and what stands in the evidence about it.
struct EngineChoice {
  std::unique_ptr<Engine> engine;
  std::string sandbox;  ///< "none", or what confines the workers, in words joined by blanks
};

/// Under "process" every model gets a confined worker, and this process never maps the runtime.
/// `software` and `clock` must outlive the engine. Fails: as the engine's maker does.
Result<EngineChoice> choose_engine(const ServerConfig& config, const Software& software,
                                   const Clock& clock);

}  // namespace cloister
