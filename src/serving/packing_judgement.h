#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"

namespace cloister {

/// One optimised model twice in memory: its weights as they are stored, and beside them a copy of
/// some in the runtime's own layout.
struct PackingPair {
  LoadedModel& unpacked;
  LoadedModel& packed;
  std::uint64_t weights_bytes = 0;
};

/// Whether a server should run `pair.packed`: it is packed unless that is found to gain nothing,
/// but where the copy takes much memory only if it is found to gain clearly. Both run `inputs` in
/// turn; what a run costs is processor time, where the engine can tell, so that other work on the
/// machine decides nothing. Ends once the answer is clear, or after 20 seconds or six rounds,
/// whichever takes longer, and within two minutes: then the median decides. Nothing where a run
/// failed.
std::optional<bool> is_worth_packing(const PackingPair& pair,
                                     const std::vector<NamedTensorView>& inputs,
                                     const Clock& clock);

/// Whether the median of what `gains` were drawn from is above `least`; nothing while they leave
/// it open.
std::optional<bool> is_median_above(std::vector<double> gains, double least);

}  // namespace cloister
