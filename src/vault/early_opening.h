#pragma once

#include <memory>

#include "base/files.h"
#include "vault/segments.h"
#include "vault/vault.h"

namespace cloister {

/// Opens a version whose weights are still being read when this returns: its graph is verified, and
/// threads fill `OpenedModel::weights` and tell `OpenedModel::filling`. `work` must outlive it.
/// Fails: `corrupt`, `io`, `unavailable` (no thread).
Result<OpenedModel> open_early(const SegmentWork& work, std::unique_ptr<File> file,
                               std::shared_ptr<const VersionEntry> entry);

}  // namespace cloister
