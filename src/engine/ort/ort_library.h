#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// The series of releases that this door was written and tested for.
inline constexpr const char* kOrtVersionPrefix = "1.27.";

/// Refuses the content of a runtime library that holds a telemetry uploader: the official builds
/// from 1.29 on do, and turning it off by interface comes too late (docs/deps.md).
/// Fails: `unverified`.
Status check_runtime_library(Bytes content);

}  // namespace cloister
