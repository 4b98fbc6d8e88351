#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "model/model.h"

namespace cloister {

/// How often something was done and how long it took together, as Triton's statistics extension
/// has it (`$duration_stat`).
struct DurationCount {
  std::uint64_t count = 0;
  std::chrono::nanoseconds time{};
  void add(std::chrono::nanoseconds took) noexcept {
    ++count;
    time += took;
  }
};

/// Where the time of one request went, from its complete body to its encoded answer. The four
/// follow each other, so that they add up to the whole.
struct RequestTimes {
  std::chrono::nanoseconds queue{};   ///< waiting for a load, a slot or a batch
  std::chrono::nanoseconds input{};   ///< decoding, and gathering a batch
  std::chrono::nanoseconds infer{};   ///< the model's run
  std::chrono::nanoseconds output{};  ///< encoding
  std::chrono::nanoseconds total() const noexcept { return queue + input + infer + output; }
};

/// What one version did since the server started.
struct VersionStatistics {
  /// The runs at one batch size.
  struct Batch {
    std::uint64_t size = 0;
    DurationCount input;
    DurationCount infer;
    DurationCount output;
  };
  UtcSeconds last_inference{};
  std::uint64_t inferences = 0;  ///< a request of a batch of 64 counts 64
  std::uint64_t executions = 0;
  DurationCount success;
  DurationCount fail;
  DurationCount queue;
  DurationCount input;
  DurationCount infer;
  DurationCount output;
  std::vector<Batch> batches;  ///< in rising order of size
};

inline constexpr std::size_t kBatchSizesMax = 256;  ///< sizes that are told apart; more share one

/// Counts per version, for its owner. Only what is stored may be recorded, so that the number of
/// versions bounds the memory. Safe from several threads.
class Statistics {
 public:
  /// One request was answered; `inferences` is its own batch size.
  void succeeded(const VersionRef& ref, const RequestTimes& times, std::uint64_t inferences,
                 UtcSeconds now);
  /// One request was refused or failed after `took`.
  void failed(const VersionRef& ref, std::chrono::nanoseconds took);
  /// The model ran once, for all requests of a batch together; `times.queue` is not read.
  void executed(const VersionRef& ref, std::uint64_t batch_size, const RequestTimes& times);
  void forget(const VersionRef& ref);

  /// All zeros where nothing was recorded.
  VersionStatistics of(const VersionRef& ref) const;
  std::vector<std::pair<VersionRef, VersionStatistics>> all() const;

 private:
  mutable Mutex mutex_;
  std::map<VersionRef, VersionStatistics> versions_ GUARDED_BY(mutex_);
};

}  // namespace cloister
