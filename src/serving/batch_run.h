#pragma once

#include <vector>

#include "serving/batcher.h"

namespace cloister {

/// The inputs of several requests, one after the other along the outermost extent, in `memory`.
/// The requests have the same inputs in the same order. Fails: `io`, `too_large`.
Result<std::vector<NamedTensorView>> gather_rows(const std::vector<BatchRequest>& batch,
                                                 PrivateMemoryPool& pool, PrivateMemory& memory);

/// The part of `outputs` that belongs to `rows` of all `total` rows, from row `first` on.
/// Fails: `internal` where an output does not have a row for each row of the inputs.
Result<std::vector<NamedTensorView>> rows_of(const std::vector<NamedTensorView>& outputs,
                                             std::uint64_t first, std::uint64_t rows,
                                             std::uint64_t total);

}  // namespace cloister
