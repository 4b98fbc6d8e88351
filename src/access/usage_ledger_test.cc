#include "access/usage_ledger.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "support/fake_clock.h"
#include "support/memory_store.h"

namespace cloister {
namespace {

VersionRef version(const std::string& owner, std::uint64_t number = 1) {
  return {{PrincipalId{owner}, "triage"}, VersionNumber{number}};
}

class UsageLedgerTest : public testing::Test {
 protected:
  std::unique_ptr<UsageLedger> open() {
    store_.needs_restart = true;
    return UsageLedger::open(store_, clock_).value();
  }
  static std::uint64_t requests(const std::vector<UsageRow>& rows) {
    std::uint64_t sum = 0;
    for (const UsageRow& row : rows) sum += row.amount.requests;
    return sum;
  }
  /// All that was recorded is durable afterwards.
  static bool flush_twice(UsageLedger& ledger) {
    return ledger.flush().ok() && ledger.flush().ok();
  }
  /// What a ledger would find that was opened now.
  std::uint64_t requests_after_restart() {
    MemoryStore copy = store_;
    return requests(UsageLedger::open(copy, clock_).value()->of_owner({"clinic"}));
  }

  FakeClock clock_;
  MemoryStore store_;
  const PrincipalId bank_{"bank"};
  const UsageAmount one_{1, 20, 300, 4000};
};

TEST_F(UsageLedgerTest, RefusesDamagedEntries) {
  auto ledger = open();
  ledger->record(version("clinic"), bank_, one_);
  ASSERT_TRUE(flush_twice(*ledger));
  const ByteVector entry = store_.entries.at(0);
  for (std::size_t size = 0; size < entry.size(); ++size) {
    store_.entries = {ByteVector(entry.begin(), entry.begin() + static_cast<std::ptrdiff_t>(size))};
    EXPECT_FALSE(UsageLedger::open(store_, clock_).ok()) << size;
  }
  store_.entries = {entry};
  store_.entries[0].push_back(std::byte{0});
  EXPECT_FALSE(UsageLedger::open(store_, clock_).ok());
}

TEST_F(UsageLedgerTest, LosesOnlyWhatIsYoungerThanTheFlushBeforeTheLast) {
  auto ledger = open();
  ledger->record(version("clinic"), bank_, one_);
  ASSERT_TRUE(ledger->flush().ok());
  EXPECT_EQ(requests_after_restart(), 0U);
  ledger->record(version("clinic"), bank_, one_);
  ASSERT_TRUE(ledger->flush().ok());
  EXPECT_EQ(requests(ledger->of_owner({"clinic"})), 2U);
  EXPECT_EQ(requests_after_restart(), 1U);
}

TEST_F(UsageLedgerTest, CountsNothingTwiceWhenAFlushFailsAndIsTriedAgain) {
  for (const auto next : {MemoryStore::Next::fails_and_is_lost,
                          MemoryStore::Next::fails_and_is_kept}) {
    for (const int failing : {0, 1, 2}) {
      store_ = MemoryStore();
      auto ledger = open();
      std::uint64_t recorded = 0;
      for (int flush = 0; flush < 4; ++flush) {
        ledger->record(version("clinic"), bank_, one_);
        ++recorded;
        if (flush == failing) store_.next = next;
        EXPECT_EQ(ledger->flush().ok(), flush != failing);
        // Whatever a crash now would leave, it is never more than was recorded.
        MemoryStore copy = store_;
        const auto after = UsageLedger::open(copy, clock_).value();
        EXPECT_LE(requests(after->of_owner({"clinic"})), recorded);
      }
      ASSERT_TRUE(flush_twice(*ledger));
      EXPECT_EQ(requests_after_restart(), 4U);
    }
  }
}

TEST_F(UsageLedgerTest, ShowsAnOwnerHisModelsAndAPrincipalHisUse) {
  auto ledger = open();
  ledger->record(version("clinic"), bank_, one_);
  ledger->record(version("clinic"), bank_, one_);
  ledger->record(version("clinic", 2), {"lab"}, one_);
  ledger->record(version("other"), bank_, one_);
  const auto rows = ledger->of_owner({"clinic"});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].amount, (UsageAmount{2, 40, 600, 8000}));
  EXPECT_EQ(rows[1].principal, PrincipalId{"lab"});
  EXPECT_EQ(requests(ledger->of_principal(bank_)), 3U);
}

TEST_F(UsageLedgerTest, CountsByDayAndForgetsWhatIsOlderThanItKeeps) {
  auto ledger = open();
  ledger->record(version("clinic"), bank_, one_);
  clock_.advance(std::chrono::hours(24));
  ledger->record(version("clinic"), bank_, one_);
  ASSERT_TRUE(flush_twice(*ledger));
  EXPECT_EQ(ledger->of_owner({"clinic"}).size(), 2U);
  clock_.advance(kUsageKept);
  EXPECT_EQ(requests_after_restart(), 1U);
}

TEST_F(UsageLedgerTest, SumsUpALogThatHasGrownLong) {
  auto ledger = open();
  ASSERT_TRUE(ledger->flush().ok());
  for (int i = 0; i < 80; ++i) {
    for (std::uint64_t number = 1; number <= 2'000; ++number) {
      ledger->record(version("clinic", number), bank_, one_);
    }
    ASSERT_TRUE(ledger->flush().ok());
  }
  ASSERT_TRUE(flush_twice(*ledger));
  EXPECT_GT(store_.restarts, 1);
  EXPECT_LT(store_.bytes(), 10U << 20);
  EXPECT_EQ(requests_after_restart(), 160'000U);
}

TEST_F(UsageLedgerTest, StopsAtItsBoundOfRowsAndSaysSo) {
  auto ledger = open();
  for (std::uint64_t number = 1; number <= kUsageRowsMax + 1; ++number) {
    ledger->record(version("clinic", number), bank_, one_);
  }
  EXPECT_TRUE(ledger->overflowed());
  EXPECT_EQ(requests(ledger->of_owner({"clinic"})), kUsageRowsMax);
  ledger->record(version("clinic", 1), bank_, one_);
  EXPECT_EQ(requests(ledger->of_owner({"clinic"})), kUsageRowsMax + 1);
  ASSERT_TRUE(ledger->flush().ok());
  ledger->record(version("clinic", 1), bank_, one_);
  const auto rows = ledger->of_owner({"clinic"});
  EXPECT_EQ(rows.size(), kUsageRowsMax);
  EXPECT_EQ(requests(rows), kUsageRowsMax + 2);
}

TEST_F(UsageLedgerTest, LosesNothingBetweenThreads) {
  auto ledger = open();
  std::thread recorder([&] {
    for (int i = 0; i < 5'000; ++i) ledger->record(version("clinic"), bank_, one_);
  });
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(ledger->flush().ok());
  recorder.join();
  ASSERT_TRUE(flush_twice(*ledger));
  EXPECT_EQ(requests_after_restart(), 5'000U);
}

}  // namespace
}  // namespace cloister
