#pragma once

#include <exception>

#include "base/result.h"

namespace cloister {

/// What `work` returns, a Result; an exception of it (no memory left, in practice) becomes
/// `unavailable` at `where`. For the tops of threads: hostile sizes may cost one request its
/// answer, never the process.
template <class Work>
auto caught(Place where, Work&& work) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception&) {
    return Error{Code::unavailable, where};
  }
}

}  // namespace cloister
