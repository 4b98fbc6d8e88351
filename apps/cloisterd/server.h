#pragma once

#include "base/result.h"
#include "config/server_config.h"
#include "options.h"

namespace cloister {

/// Builds the whole server from its configuration, serves until a stop signal comes, and takes it
/// down again in reverse. Prints where it listens to standard output. The only place that knows
/// every part. Fails: as whichever part could not start.
Status run_server(const Options& options, const ServerConfig& config);

}  // namespace cloister
