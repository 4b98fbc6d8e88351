#pragma once

#include "console.h"
#include "options.h"
#include "server_access.h"

namespace cloister {

/// Does what the options say.
Outcome run_command(const Options& options, Tools& tools);

/// The commands about principals, tokens, grants and usage.
Outcome run_access(const Options& options, Tools& tools);

/// The command `seal`.
Outcome run_seal(const Options& options, Tools& tools);

/// The command `infer`.
Outcome run_infer(const Options& options, Tools& tools);

/// The command `proxy`: serves until SIGINT or SIGTERM.
Outcome run_proxy(const Options& options, Tools& tools);

/// `attest --evidence`: judges recorded evidence without any connection. Prints the verdict; ends
/// with not_verified unless it is accepted.
Outcome judge_recorded(const Options& options, Tools& tools);

}  // namespace cloister
