#include "serving/statistics.h"

#include <algorithm>

namespace cloister {
namespace {

VersionStatistics::Batch& batch_of(VersionStatistics& statistics, std::uint64_t size) {
  auto& batches = statistics.batches;
  const auto place =
      std::find_if(batches.begin(), batches.end(),
                   [&](const VersionStatistics::Batch& each) { return each.size >= size; });
  if (place != batches.end() && place->size == size) return *place;
  if (batches.size() >= kBatchSizesMax) return batches.back();
  VersionStatistics::Batch batch;
  batch.size = size;
  return *batches.insert(place, batch);
}

}  // namespace

void Statistics::succeeded(const VersionRef& ref, const RequestTimes& times,
                           std::uint64_t inferences, UtcSeconds now) {
  const MutexLock lock(mutex_);
  VersionStatistics& statistics = versions_[ref];
  statistics.last_inference = now;
  statistics.inferences += inferences;
  statistics.success.add(times.total());
  statistics.queue.add(times.queue);
  statistics.input.add(times.input);
  statistics.infer.add(times.infer);
  statistics.output.add(times.output);
}

void Statistics::failed(const VersionRef& ref, std::chrono::nanoseconds took) {
  const MutexLock lock(mutex_);
  versions_[ref].fail.add(took);
}

void Statistics::executed(const VersionRef& ref, std::uint64_t batch_size,
                          const RequestTimes& times) {
  const MutexLock lock(mutex_);
  VersionStatistics& statistics = versions_[ref];
  ++statistics.executions;
  VersionStatistics::Batch& batch = batch_of(statistics, batch_size);
  batch.input.add(times.input);
  batch.infer.add(times.infer);
  batch.output.add(times.output);
}

void Statistics::forget(const VersionRef& ref) {
  const MutexLock lock(mutex_);
  versions_.erase(ref);
}

VersionStatistics Statistics::of(const VersionRef& ref) const {
  const MutexLock lock(mutex_);
  const auto found = versions_.find(ref);
  return found == versions_.end() ? VersionStatistics{} : found->second;
}

std::vector<std::pair<VersionRef, VersionStatistics>> Statistics::all() const {
  const MutexLock lock(mutex_);
  return {versions_.begin(), versions_.end()};
}

}  // namespace cloister
