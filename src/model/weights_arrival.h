#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace cloister {

inline constexpr std::uint64_t kArrivalStep = 1U << 20;  ///< bytes of weights that arrive at once

/// What stands in an arrival's word when no more will come.
inline constexpr std::uint32_t kArrivalFailed = 0xffff'ffff;

/// How much of a model's weights is there, from their beginning on. One side fills them, out of
/// order, and tells; the other may use what the word says and waits for the rest. A step may be
/// used once its own tag held; an answer is given only when all of them did. Safe from several
/// threads.
class WeightsArrival {
 public:
  /// `word` counts the steps that are there; it must outlive this and may lie in memory that a
  /// worker reads. `bytes` of weights are expected.
  WeightsArrival(std::atomic<std::uint32_t>& word, std::uint64_t bytes);

  /// Step `index` is there.
  void arrived(std::uint64_t index) EXCLUDES(mutex_);
  /// No more comes: everything arrived, or something failed.
  void finish(Status outcome) EXCLUDES(mutex_);
  /// Waits for `finish` and returns its outcome.
  Status wait() EXCLUDES(mutex_);

 private:
  std::atomic<std::uint32_t>& word_;
  Mutex mutex_;
  Signal changed_;
  std::vector<bool> there_ GUARDED_BY(mutex_);
  std::size_t in_order_ GUARDED_BY(mutex_) = 0;
  std::optional<Status> outcome_ GUARDED_BY(mutex_);
};

}  // namespace cloister
