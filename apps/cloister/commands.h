#pragma once

#include "console.h"
#include "options.h"
#include "server_access.h"

namespace cloister {

/// Does what the options say.
Outcome run_command(const Options& options, Tools& tools);

/// The command `infer`.
Outcome run_infer(const Options& options, Tools& tools);

}  // namespace cloister
