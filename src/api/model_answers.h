#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serving/model_options.h"
#include "serving/statistics.h"
#include "vault/vault.h"

namespace cloister {

/// A model's configuration in the words of Triton's model configuration extension: `name` as the
/// request had it. With batching on, `dims` are without the batch's extent, as there.
std::string config_json(std::string_view name, const VersionRecord& record,
                        const ModelOptions& options);

/// One version's counts, under the name that the request had for it.
struct NamedStatistics {
  std::string name;
  VersionNumber version;
  VersionStatistics counts;
};
/// Triton's `$stats_model_response`.
std::string statistics_json(const std::vector<NamedStatistics>& versions);

}  // namespace cloister
