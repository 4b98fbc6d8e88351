#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace cloister {

/// Does `work(i, thread)` for every i below `count` on up to `threads` threads, this one among
/// them, in rising order of i; `thread`, below `threads`, says which one does it. A thread takes
/// `together` neighbours at a time, at least 1. Stops handing out work at the first failure and
/// returns one of the failures; no work is under way when it returns.
Status for_each_in_parallel(std::uint64_t count, unsigned threads,
                            const std::function<Status(std::uint64_t, unsigned)>& work,
                            std::uint64_t together = 1);

}  // namespace cloister
