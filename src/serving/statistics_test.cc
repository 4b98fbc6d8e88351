#include "serving/statistics.h"

#include <gtest/gtest.h>

#include "serving/stored_index.h"

namespace cloister {
namespace {

using std::chrono::nanoseconds;

VersionRef version(const char* owner, const char* name, std::uint64_t number) {
  return {{PrincipalId{owner}, name}, {number}};
}

TEST(Statistics, AddsUpToTheWhole) {
  Statistics statistics;
  const VersionRef ref = version("o", "m", 1);
  const RequestTimes times{nanoseconds{1}, nanoseconds{20}, nanoseconds{300}, nanoseconds{4000}};
  statistics.succeeded(ref, times, 2, UtcSeconds{std::chrono::seconds{7}});
  statistics.succeeded(ref, times, 3, UtcSeconds{std::chrono::seconds{9}});
  statistics.executed(ref, 5, times);
  statistics.failed(ref, nanoseconds{50});
  const VersionStatistics counts = statistics.of(ref);
  EXPECT_EQ(counts.inferences, 5U);
  EXPECT_EQ(counts.executions, 1U);
  EXPECT_EQ(counts.success.count, 2U);
  EXPECT_EQ(counts.success.time, counts.queue.time + counts.input.time + counts.infer.time +
                                     counts.output.time);
  EXPECT_EQ(counts.fail.count, 1U);
  ASSERT_EQ(counts.batches.size(), 1U);
  EXPECT_EQ(counts.batches[0].size, 5U);
  EXPECT_EQ(counts.batches[0].infer.time, nanoseconds{300});
  EXPECT_EQ(counts.last_inference.time_since_epoch().count(), 9);
}

TEST(Statistics, TellsABoundedNumberOfBatchSizesApart) {
  Statistics statistics;
  const VersionRef ref = version("o", "m", 1);
  for (std::uint64_t size = 1; size <= 2 * kBatchSizesMax; ++size) {
    statistics.executed(ref, size, {});
  }
  EXPECT_EQ(statistics.of(ref).batches.size(), kBatchSizesMax);
  EXPECT_EQ(statistics.of(ref).executions, 2 * kBatchSizesMax);
}

TEST(StoredIndex, CountsWhatIsStoredOnce) {
  VersionRecord record;
  record.ref = version("o", "m", 2);
  record.stored_bytes = 10;
  StoredIndex index({record});
  index.add(record);
  record.ref.version.value = 1;
  index.add(record);
  EXPECT_EQ(index.usage_of(PrincipalId{"o"}).stored_bytes, 20U);
  EXPECT_EQ(index.usage_of(PrincipalId{"p"}).versions, 0U);
  EXPECT_EQ(index.versions_of(record.ref.model),
            (std::vector<VersionNumber>{VersionNumber{1}, VersionNumber{2}}));
  index.remove(record.ref);
  index.remove(record.ref);
  EXPECT_FALSE(index.contains(record.ref));
  EXPECT_EQ(index.usage_of(PrincipalId{"o"}).stored_bytes, 10U);
  EXPECT_EQ(index.size(), 1U);
}

}  // namespace
}  // namespace cloister
