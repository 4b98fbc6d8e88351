#include "access/quotas.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/memory_record.h"
#include "support/memory_store.h"

namespace cloister {
namespace {

const PrincipalId kBank{"bank"};

class QuotasTest : public testing::Test {
 protected:
  /// What is refused now; empty where one inference may begin, which then ends at once.
  std::string refused() {
    const auto begun = quotas_->begin(kBank);
    const auto* refusal = std::get_if<QuotaRefusal>(&begun);
    return refusal == nullptr ? "" : refusal->what;
  }
  /// As if the server had begun anew.
  void reopen() {
    used_.needs_restart = true;
    quotas_ = Quotas::open(store_, used_, clock_).value();
  }
  FakeClock clock_;
  MemoryRecord store_;
  MemoryStore used_;
  std::unique_ptr<Quotas> quotas_ = Quotas::open(store_, used_, clock_).value();
};

TEST_F(QuotasTest, RefusesTermsThatMeanNothing) {
  for (const auto interval :
       {std::chrono::seconds{0}, kQuotaIntervalMax + std::chrono::seconds{1}}) {
    EXPECT_EQ(quotas_->set(kBank, {.runs = 1, .interval = interval}).error().code, Code::invalid);
  }
  EXPECT_EQ(quotas_->set(kBank, {.requests = kQuotaMax + 1}).error().code, Code::invalid);
}

TEST_F(QuotasTest, ChangesNothingThatIsNotDurable) {
  store_.broken = true;
  EXPECT_EQ(quotas_->set(kBank, {.requests = 0}).error().code, Code::io);
  EXPECT_EQ(refused(), "");
  EXPECT_TRUE(quotas_->of(kBank).bound_nothing());
}

TEST_F(QuotasTest, RefusesEveryChangedRecordThatItCannotMean) {
  ASSERT_TRUE(quotas_->set(kBank, {.requests = 3}).ok());
  const ByteVector whole = store_.content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    store_.content.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(Quotas::open(store_, used_, clock_).error().code, Code::corrupt) << size;
  }
}

TEST_F(QuotasTest, RefusesWhatWasUsedWithAnyByteCutOff) {
  ASSERT_TRUE(quotas_->set(kBank, {.requests = 3}).ok());
  EXPECT_EQ(refused(), "");
  ASSERT_TRUE(quotas_->flush().ok());
  const ByteVector whole = used_.entries.back();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    used_.entries.back().assign(whole.begin(),
                                whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(Quotas::open(store_, used_, clock_).error().code, Code::corrupt) << size;
  }
}

TEST_F(QuotasTest, BoundsRequestsUntilTheNextInterval) {
  ASSERT_TRUE(
      quotas_->set(kBank, {.requests = 2, .interval = std::chrono::seconds{10}}).ok());
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(refused(), "requests");
  clock_.advance(std::chrono::milliseconds{2'500});
  const auto begun = quotas_->begin(kBank);
  EXPECT_EQ(std::get<QuotaRefusal>(begun).retry_after, std::chrono::seconds{8});
  clock_.advance(std::chrono::milliseconds{7'500});
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(quotas_->begin({"other"}).index(), 0U);
}

TEST_F(QuotasTest, BoundsComputeByWhatRunsTook) {
  ASSERT_TRUE(quotas_->set(kBank, {.compute_seconds = 2}).ok());
  for (int i = 0; i < 2; ++i) {
    auto begun = quotas_->begin(kBank);
    std::get<0>(begun)->took(std::chrono::milliseconds{1'000});
  }
  EXPECT_EQ(refused(), "compute_seconds");
}

TEST_F(QuotasTest, BoundsWhatIsUnderWayAtOnce) {
  ASSERT_TRUE(quotas_->set(kBank, {.runs = 1}).ok());
  {
    const auto first = quotas_->begin(kBank);
    EXPECT_EQ(refused(), "runs");
    // Raised while one is under way: that one still counts.
    ASSERT_TRUE(quotas_->set(kBank, {.runs = 2}).ok());
    const auto second = quotas_->begin(kBank);
    EXPECT_EQ(refused(), "runs");
  }
  EXPECT_EQ(refused(), "");
}

TEST_F(QuotasTest, KeepsTermsThroughARestartAndForgetsThoseThatBoundNothing) {
  const QuotaTerms terms{.stored_bytes = 1, .versions = 2, .requests = 0, .compute_seconds = 4,
                         .runs = 5, .interval = std::chrono::seconds{6}};
  ASSERT_TRUE(quotas_->set(kBank, terms).ok());
  reopen();
  EXPECT_EQ(quotas_->of(kBank), terms);
  ASSERT_TRUE(quotas_->set(kBank, {}).ok());
  EXPECT_EQ(refused(), "");
  reopen();
  EXPECT_TRUE(quotas_->of(kBank).bound_nothing());
}

TEST_F(QuotasTest, GoesOnCountingAfterARestartWithinTheInterval) {
  ASSERT_TRUE(
      quotas_->set(kBank, {.requests = 3, .interval = std::chrono::seconds{10}}).ok());
  EXPECT_EQ(refused(), "");
  ASSERT_TRUE(quotas_->flush().ok());
  EXPECT_EQ(refused(), "");
  ASSERT_TRUE(quotas_->flush().ok());
  EXPECT_EQ(refused(), "");  // and lost: no flush came after it
  clock_.advance(std::chrono::seconds{4});
  reopen();
  EXPECT_EQ(refused(), "");
  const auto begun = quotas_->begin(kBank);
  EXPECT_EQ(std::get<QuotaRefusal>(begun).retry_after, std::chrono::seconds{6});
  ASSERT_TRUE(quotas_->flush().ok());
  clock_.advance(std::chrono::seconds{6});
  reopen();
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(refused(), "");
}

TEST_F(QuotasTest, BeginsTheIntervalAnewAndKeepsTheCountWhereTheClockRanBack) {
  ASSERT_TRUE(
      quotas_->set(kBank, {.requests = 1, .interval = std::chrono::seconds{10}}).ok());
  EXPECT_EQ(refused(), "");
  ASSERT_TRUE(quotas_->flush().ok());
  clock_.set_utc(clock_.utc() - std::chrono::hours{1});
  reopen();
  const auto begun = quotas_->begin(kBank);
  EXPECT_EQ(std::get<QuotaRefusal>(begun).retry_after, std::chrono::seconds{10});
}

TEST_F(QuotasTest, WritesAgainWhatAFailedWriteMayHaveLost) {
  ASSERT_TRUE(quotas_->set(kBank, {.requests = 2}).ok());
  ASSERT_TRUE(quotas_->flush().ok());
  for (const auto next : {MemoryStore::Next::fails_and_is_lost,
                          MemoryStore::Next::fails_and_is_kept}) {
    EXPECT_EQ(refused(), "");
    used_.next = next;
    EXPECT_EQ(quotas_->flush().error().code, Code::io);
    ASSERT_TRUE(quotas_->flush().ok());
  }
  reopen();
  EXPECT_EQ(refused(), "requests");
}

}  // namespace
}  // namespace cloister
