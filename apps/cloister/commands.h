#pragma once

#include <string>

#include "console.h"
#include "graph/onnx/external_data.h"
#include "options.h"
#include "server_access.h"

namespace cloister {

/// Does what the options say.
Outcome run_command(const Options& options, Tools& tools);

/// The commands about principals, tokens and grants.
Outcome run_access(const Options& options, Tools& tools);

/// The commands `usage` and `audit`: shows what the server signed, and keeps it where asked to.
Outcome run_export(const Options& options, Tools& tools);
/// The command `verify-export`: judges what was kept, without any connection.
Outcome verify_kept_export(const Options& options);

/// The command `seal`.
Outcome run_seal(const Options& options, Tools& tools);

/// The person's own ONNX file, with the data files beside it folded in. Fails: as
/// open_local_file and fold_external_data do.
Result<FoldedModel> open_model(const std::string& path);

/// "folded in 312 tensors from 1 file"; empty where there was nothing to fold.
std::string folded_text(const FoldedModel& model);

/// The command `check`: what the server would say to a model, without one.
Outcome run_check(const Options& options);

/// The command `infer`.
Outcome run_infer(const Options& options, Tools& tools);

/// The command `collateral fetch`: what the evidence that the options name needs to be judged, into
/// one file. Written only where it holds for that evidence; ends with not_verified otherwise.
Outcome fetch_collateral_for(const Options& options, Tools& tools);

/// The recorded evidence that the options name, with what belongs to it. Fails: as reading does.
Result<RecordedEvidence> read_recorded(const Options& options);
/// The time of `--at`, or now. Fails: `invalid`.
Result<UtcSeconds> time_to_judge(const Options& options, const Tools& tools);

/// The command `proxy`: serves until SIGINT or SIGTERM.
Outcome run_proxy(const Options& options, Tools& tools);

/// `attest --evidence`: judges recorded evidence without any connection. Prints the verdict; ends
/// with not_verified unless it is accepted.
Outcome judge_recorded(const Options& options, Tools& tools);

}  // namespace cloister
