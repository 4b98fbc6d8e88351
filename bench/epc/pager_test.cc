#include "epc/pager.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <deque>
#include <map>
#include <random>

namespace cloister {
namespace {

constexpr std::uint64_t kPages = 1024;
constexpr std::uint64_t kLimit = 256;

/// Untouched memory under a pager, or neither where the kernel does not permit it.
class PagerTest : public testing::Test {
 protected:
  void SetUp() override {
    void* const start = ::mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(start, MAP_FAILED);
    memory_ = {static_cast<std::byte*>(start), kPages * kPageBytes};
    ASSERT_EQ(::madvise(start, memory_.size(), MADV_NOHUGEPAGE), 0);
    auto pager = Pager::watch(memory_);
    if (!pager.ok() && pager.error().code == Code::unavailable) {
      GTEST_SKIP() << "NOT TESTED: this kernel or container does not permit userfaultfd ("
                   << pager.error().where.text << ")";
    }
    pager_ = std::move(pager).value();
  }
  void TearDown() override {
    pager_.reset();
    ::munmap(memory_.data(), memory_.size());
  }

  volatile std::byte& at(std::uint64_t page) { return memory_[page * kPageBytes + page % 97]; }
  void write(std::uint64_t page) { at(page) = std::byte(page * 7 + 1); }
  bool holds(std::uint64_t page) { return at(page) == std::byte(page * 7 + 1); }
  void read_all(std::uint64_t count) {
    for (std::uint64_t page = 0; page < count; ++page) EXPECT_TRUE(holds(page)) << page;
  }
  PageCounts counted(std::uint64_t passes, std::uint64_t pages) {
    const PageCounts before = pager_->counts();
    for (std::uint64_t i = 0; i < passes; ++i) read_all(pages);
    return pager_->counts() - before;
  }

  std::span<std::byte> memory_;
  std::unique_ptr<Pager> pager_;
};

/// The policy told a second time, by the textbook: a queue with a second chance.
class ReferencePolicy {
 public:
  explicit ReferencePolicy(std::uint64_t limit) : limit_(limit) {}
  void access(std::uint64_t page) {
    const auto found = accessed_.find(page);
    if (found != accessed_.end()) {
      found->second = true;
      return;
    }
    if (limit_ - accessed_.size() < Pager::kFreeLow) {
      while (limit_ - accessed_.size() < Pager::kFreeHigh) look();
    }
    ++in;
    accessed_[page] = true;
    queue_.push_back(page);
  }
  std::uint64_t in = 0;
  std::uint64_t out = 0;

 private:
  void look() {
    std::size_t left = std::min<std::size_t>(Pager::kLookedAtOnce, queue_.size());
    for (; left > 0; --left) {
      const std::uint64_t page = queue_.front();
      queue_.pop_front();
      if (accessed_.at(page)) {
        accessed_.at(page) = false;
        queue_.push_back(page);
      } else {
        accessed_.erase(page);
        ++out;
      }
    }
  }
  std::uint64_t limit_;
  std::deque<std::uint64_t> queue_;
  std::map<std::uint64_t, bool> accessed_;  ///< of resident pages: since it was last looked at
};

TEST_F(PagerTest, NoticesEveryKindOfTamperingWithAPageThatIsOut) {
  for (std::uint64_t page = 0; page < 8; ++page) write(page);
  pager_->send_all_out();
  pager_->stored(0)[17] ^= std::byte{1};
  EXPECT_EQ(pager_->enter(0).error().code, Code::corrupt);
  // Another page's content in this one's place, both as they were sealed.
  std::swap_ranges(pager_->stored(1).begin(), pager_->stored(1).end(), pager_->stored(2).begin());
  EXPECT_EQ(pager_->enter(1).error().code, Code::corrupt);
  EXPECT_EQ(pager_->enter(2).error().code, Code::corrupt);
  // What this page was at an earlier time.
  std::array<std::byte, kPageBytes> earlier{};
  std::copy(pager_->stored(3).begin(), pager_->stored(3).end(), earlier.begin());
  write(3);
  pager_->send_all_out();
  std::copy(earlier.begin(), earlier.end(), pager_->stored(3).begin());
  EXPECT_EQ(pager_->enter(3).error().code, Code::corrupt);
  EXPECT_TRUE(holds(4));
}

TEST_F(PagerTest, RefusesToBringInWhatIsThere) {
  write(0);
  EXPECT_EQ(pager_->enter(0).error().code, Code::invalid);
}

TEST_F(PagerTest, EndsTheProgramOnAPageThatDoesNotVerify) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  write(0);
  pager_->send_all_out();
  pager_->stored(0)[5] ^= std::byte{1};
  EXPECT_EXIT(write(0), testing::ExitedWithCode(70), "a page does not verify");
}

TEST_F(PagerTest, StoresNoPlaintextOfAPageThatIsOut) {
  for (std::uint64_t i = 0; i < kPageBytes; ++i) memory_[i] = std::byte{0x5a};
  pager_->send_all_out();
  const PageView stored = pager_->stored(0);
  EXPECT_LT(std::count(stored.begin(), stored.end(), std::byte{0x5a}), 100);
  EXPECT_EQ(std::count(memory_.begin(), memory_.begin() + kPageBytes, std::byte{0x5a}), 4096);
}

TEST_F(PagerTest, KeepsContentThroughEviction) {
  pager_->limit(kLimit);
  for (std::uint64_t page = 0; page < kPages; ++page) write(page);
  for (int pass = 0; pass < 3; ++pass) read_all(kPages);
  std::mt19937 order(1);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t page = order() % kPages;
    EXPECT_TRUE(holds(page));
    if (i % 3 == 0) write(page);
  }
  pager_->bring_all_in();
  EXPECT_EQ(counted(1, kPages).in, 0U);
}

TEST_F(PagerTest, CountsNothingOnceEverythingFits) {
  for (std::uint64_t page = 0; page < 200; ++page) write(page);
  EXPECT_EQ(pager_->counts().in, 200U);
  EXPECT_EQ(pager_->counts().fresh, 200U);
  EXPECT_EQ(pager_->used(), 200U);
  pager_->limit(kLimit);
  const PageCounts counts = counted(5, 200);
  EXPECT_EQ(counts.in, 0U);
  EXPECT_EQ(counts.out, 0U);
}

TEST_F(PagerTest, CountsEveryPageOnceAfterAllWereSentOut) {
  for (std::uint64_t page = 0; page < 500; ++page) write(page);
  pager_->send_all_out();
  const PageCounts counts = counted(2, 500);
  EXPECT_EQ(counts.in, 500U);
  EXPECT_EQ(counts.fresh, 0U);
}

TEST_F(PagerTest, CountsEveryPageOfACycleThatDoesNotFit) {
  for (std::uint64_t page = 0; page < 900; ++page) write(page);
  pager_->limit(kLimit);
  counted(3, 900);
  EXPECT_EQ(counted(4, 900).in, 4 * 900U);
}

TEST_F(PagerTest, CountsWhatTheTextbookCountsOnAnyPattern) {
  pager_->limit(kLimit);
  ReferencePolicy reference(kLimit);
  std::mt19937 order(7);
  for (int i = 0; i < 30000; ++i) {
    // Some pages are used far more often than others, and some again at once.
    const std::uint64_t page = order() % 4 == 0 ? order() % kPages : order() % 300;
    write(page);
    reference.access(page);
    ASSERT_EQ(pager_->counts().in, reference.in) << i;
    ASSERT_EQ(pager_->counts().out, reference.out) << i;
  }
  EXPECT_GT(reference.out, 1000U);
}

TEST_F(PagerTest, TakesOverWhatIsResidentWhenItStarts) {
  for (std::uint64_t page = 0; page < 700; ++page) write(page);
  pager_->bring_all_in();
  pager_.reset();
  pager_ = Pager::watch(memory_).value();
  EXPECT_EQ(pager_->used(), 700U);
  pager_->limit(kLimit);
  EXPECT_GE(pager_->counts().out, 700 - kLimit);
  read_all(700);
}

}  // namespace
}  // namespace cloister
