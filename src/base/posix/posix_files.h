#pragma once

#include <memory>
#include <string>

#include "base/files.h"

namespace cloister {

/// What to do where the root folder does not exist.
enum class IfAbsent { fail, create };

/// The host's files below `folder`, which is opened once and kept: renaming it later changes
/// nothing. `folder` itself comes from the operator and may contain links; nothing below it is
/// followed through one. With `create`, its last component is made (mode 0700).
/// A path given to the returned object has at most 16 components, none of them empty, `.` or
/// `..`; any other path fails with `invalid`. A listing of more than a million entries fails with
/// `too_large`. Locks are flock(2) locks. Safe from several threads at once.
/// Fails: `not_found`, `corrupt` where `folder` is no folder, `io`.
Result<std::unique_ptr<Files>> open_posix_files(const std::string& folder, IfAbsent if_absent);

}  // namespace cloister
