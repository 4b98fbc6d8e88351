#pragma once

#include <atomic>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Worker, before it has a second thread: lets faults through to a handler on every thread that it
/// makes later. The server starts its workers with every signal blocked. Fails: `io`.
Status let_faults_through();

/// Worker, before it locks itself down: whoever touches a page of `weights`, which are mapped
/// without any right, waits until `arrived` (WeightsArrival's word) says that the 2 MiB around it
/// are there; then they can be read for good. Once in a process's life. A touch of anything else
/// that may not be touched, and a failed arrival, end the process. Both must outlive the process.
/// Fails: `io`.
Status wait_for_weights_on_touch(MutableBytes weights,
                                 const std::atomic<std::uint32_t>& arrived);

}  // namespace cloister
