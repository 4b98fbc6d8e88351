#pragma once

#include "base/result.h"
#include "config/server_config.h"
#include "options.h"

namespace cloister {

/// `cloisterd --verify-store`: opens the store as a server does, without a listener, walks through
/// every byte of every version, and prints a report. The report names files, which the host sees
/// anyway, and no model or owner, which it must not. Returns whether everything is whole.
/// Fails: as a start of the server would.
Result<bool> verify_store_command(const Options& options, const ServerConfig& config);

}  // namespace cloister
