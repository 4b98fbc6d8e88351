#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "secret/huge_pages.h"
#include "secret/private_memory.h"
#include "secret/secret_bytes.h"
#include "secret/wiped_heap.h"

namespace cloister {

struct SecretForTest {
  static RevealToken token() { return RevealToken(); }
};

namespace {

TEST(EqualInConstantTime, RefusesOtherLengthAndEveryFlippedByte) {
  const ByteVector a(33, std::byte{7});
  EXPECT_FALSE(equal_in_constant_time(a, Bytes(a).first(32)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    ByteVector b = a;
    b[i] ^= std::byte{0x80};
    EXPECT_FALSE(equal_in_constant_time(a, b)) << "byte " << i;
  }
  EXPECT_TRUE(equal_in_constant_time(a, copy_of(a)));
}

TEST(SecretBytes, MovesLeaveNothingBehind) {
  SecretBytes first(ByteVector(16, std::byte{9}));
  SecretBytes second(std::move(first));
  EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move): what is left is the point
  EXPECT_EQ(second.reveal(SecretForTest::token())[15], std::byte{9});
}

TEST(Wipe, LeavesZeros) {
  ByteVector bytes(100, std::byte{1});
  wipe(bytes);
  EXPECT_EQ(bytes, ByteVector(100));
}

TEST(WipedHeap, HasNoBlockOfNothing) {
  EXPECT_EQ(allocate_wiped(0, "", 0), nullptr);
  free_wiped(nullptr, "", 0);
  void* const block = resize_wiped(nullptr, 10, "", 0);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(resize_wiped(block, 0, "", 0), nullptr);
}

TEST(WipedHeap, KeepsWhatFitsWhenABlockIsResized) {
  auto* block = static_cast<char*>(allocate_wiped(3, "", 0));
  std::copy_n("ab", 3, block);
  block = static_cast<char*>(resize_wiped(block, 1'000'000, "", 0));
  EXPECT_STREQ(block, "ab");
  block = static_cast<char*>(resize_wiped(block, 2, "", 0));
  EXPECT_EQ(std::string_view(block, 2), "ab");
  free_wiped(block, "", 0);
}

TEST(PrivateMemory, RefusesNothingAndTooMuch) {
  EXPECT_EQ(PrivateMemory::reserve(0).error().code, Code::too_large);
  EXPECT_EQ(PrivateMemory::reserve(1ULL << 60).error().code, Code::too_large);
}

TEST(PrivateMemory, ReadsZerosAfterRelease) {
  auto memory = PrivateMemory::reserve(3U << 20).value();
  for (auto& byte : memory.bytes()) byte = std::byte{5};
  memory.release(0, 1U << 20);
  EXPECT_EQ(memory.bytes()[0], std::byte{0});
  EXPECT_EQ(memory.bytes()[(1U << 20) - 1], std::byte{0});
  EXPECT_EQ(memory.bytes()[1U << 20], std::byte{5});
  memory.release(memory.size(), 10);
  memory.release(memory.size() + 5, ~std::size_t{0});
  EXPECT_EQ(memory.bytes()[memory.size() - 1], std::byte{5});
}

TEST(PrivateMemoryPool, RefusesNothingAndTooMuch) {
  PrivateMemoryPool pool(1U << 20);
  EXPECT_EQ(pool.reserve(0).error().code, Code::too_large);
  EXPECT_EQ(pool.reserve(1ULL << 60).error().code, Code::too_large);
}

TEST(PrivateMemoryPool, HandsOutZerosWhateverWasThereBefore) {
  PrivateMemoryPool pool(1U << 20);
  const std::byte* start = nullptr;
  {
    auto block = pool.reserve(1000).value();
    start = block.bytes().data();
    for (auto& byte : block.bytes()) byte = std::byte{5};
  }
  auto again = pool.reserve(2000).value();
  EXPECT_EQ(again.bytes().data(), start);  // the block was kept
  for (const std::byte byte : again.bytes()) ASSERT_EQ(byte, std::byte{0});
}

TEST(PrivateMemoryPool, KeepsNoMoreThanItsBoundAndNothingLarge) {
  PrivateMemoryPool pool(64U << 10);
  {
    auto first = pool.reserve(1).value();
    auto second = pool.reserve(1).value();
    auto large = pool.reserve(33U << 20).value();
    EXPECT_EQ(large.size(), 33U << 20);
  }
  auto first = pool.reserve(64U << 10).value();
  auto second = pool.reserve(64U << 10).value();
  EXPECT_NE(first.bytes().data(), second.bytes().data());
}

TEST(PrivateMemoryPool, LetsWhatIsUsedDisplaceWhatWasUsedOnce) {
  PrivateMemoryPool pool(32U << 20);
  { const auto once = pool.reserve(30U << 20).value(); }  // the whole bound
  const std::byte* start = nullptr;
  {
    auto block = pool.reserve(600U << 10).value();
    start = block.bytes().data();
  }
  // A block that was given back to the kernel would leave its place to this one.
  const auto between = PrivateMemory::reserve(1U << 20).value();
  EXPECT_NE(between.bytes().data(), start);
  EXPECT_EQ(pool.reserve(600U << 10).value().bytes().data(), start);
}

TEST(PrivateMemoryPool, LeavesBlocksUsableWhenItEndsFirst) {
  PrivateMemory block;
  {
    PrivateMemoryPool pool(1U << 20);
    block = pool.reserve(100).value();
  }
  block.bytes()[99] = std::byte{1};
  EXPECT_EQ(block.size(), 100U);
}

TEST(ShareablePrivateMemory, RefusesSizesOutOfRange) {
  EXPECT_EQ(PrivateMemory::reserve_shareable(0).error().code, Code::too_large);
  EXPECT_EQ(PrivateMemory::reserve_shareable(65ULL << 30).error().code, Code::too_large);
}

TEST(ShareablePrivateMemory, IsAFileOfZerosThatMovesWithItsOwner) {
  EXPECT_EQ(PrivateMemory::reserve(4096).value().file(), -1);
  PrivateMemory memory = PrivateMemory::reserve_shareable(10'000).value();
  ASSERT_EQ(memory.size(), 10'000U);
  EXPECT_GE(memory.file(), 0);
  EXPECT_EQ(memory.bytes()[9'999], std::byte{0});
  memory.bytes()[5'000] = std::byte{7};
  memory.bytes()[0] = std::byte{7};
  const int file = memory.file();
  PrivateMemory moved = std::move(memory);
  EXPECT_EQ(moved.file(), file);
  moved.release(0, 4096);
  EXPECT_EQ(moved.bytes()[0], std::byte{0});
  EXPECT_EQ(moved.bytes()[5'000], std::byte{7});
}

TEST(ShareableMemoryPool, RefusesSizesThatNoFileHas) {
  ShareableMemoryPool pool(1U << 20);
  EXPECT_EQ(pool.reserve(0).error().code, Code::too_large);
  EXPECT_EQ(pool.reserve(65ULL << 30).error().code, Code::too_large);
}

TEST(ShareableMemoryPool, HandsOutZerosWhateverLayThereBefore) {
  constexpr std::size_t kBytes = 6U << 20;
  ShareableMemoryPool pool(4 * kBytes);
  int number = -1;
  {
    PrivateMemory first = pool.reserve(kBytes).value();
    number = first.file();
    std::ranges::fill(first.bytes(), std::byte{7});
    std::ranges::fill(first.tail(), std::byte{7});
  }
  for (const std::size_t size : {kBytes - 100, 2 * kBytes, 2 * kBytes}) {
    PrivateMemory again = pool.reserve(size).value();
    EXPECT_EQ(again.file(), number) << "the same file";
    ASSERT_EQ(again.bytes().size(), size);
    const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
    EXPECT_TRUE(std::ranges::all_of(again.bytes(), zero)) << size;
    EXPECT_TRUE(std::ranges::all_of(again.tail(), zero)) << size;
    std::ranges::fill(again.bytes(), std::byte{9});
  }
}

std::uint64_t memory_of(const PrivateMemory& memory) {
  struct stat entry {};
  EXPECT_EQ(fstat(memory.file(), &entry), 0);
  return static_cast<std::uint64_t>(entry.st_blocks) * 512;
}

TEST(ShareableMemoryPool, KeepsNoMoreThanItMay) {
  ShareableMemoryPool pool(4U << 20);
  {
    PrivateMemory large = pool.reserve(16U << 20).value();
    std::ranges::fill(large.bytes(), std::byte{7});
    EXPECT_GE(memory_of(large), 16U << 20);
  }
  EXPECT_EQ(memory_of(pool.reserve(16U << 20).value()), 0U) << "a new one";
}

TEST(ShareableMemoryPool, TakesHugePagesForWholeOnesAlone) {
  ShareableMemoryPool pool(64U << 20);
  PrivateMemory block = pool.reserve(2 * kHugePage + 10'000).value();
  block.bytes()[0] = std::byte{1};
  // The host may have run out of them since the pool was made.
  const bool unasked = pool.huge_pages() == HugePages::unasked;
  EXPECT_TRUE(memory_of(block) == 4096 || (unasked && memory_of(block) == kHugePage))
      << memory_of(block);
  std::ranges::fill(block.bytes(), std::byte{7});
  block.tail()[0] = std::byte{1};
  EXPECT_EQ(memory_of(block), 2 * kHugePage + 4 * 4096);
}

// A host that gave them when the pool was made may have run out of them since.
TEST(ShareableMemoryPool, AsksForHugePagesWhereTheHostWantsToBeAsked) {
  ShareableMemoryPool pool(64U << 20);
  if (pool.huge_pages() != HugePages::when_asked) GTEST_SKIP() << "not such a host";
  PrivateMemory block = pool.reserve(3 * kHugePage).value();
  const auto part = [&](std::size_t index) {
    return block.bytes().subspan(index * kHugePage, kHugePage);
  };
  pool.before_filling(part(1));
  if (memory_of(block) != kHugePage) GTEST_SKIP() << "no huge page to be had now";
  EXPECT_TRUE(std::ranges::all_of(part(1), [](std::byte each) { return each == std::byte{0}; }));
  part(1)[0] = std::byte{7};
  pool.before_filling(part(1));
  EXPECT_EQ(part(1)[0], std::byte{7}) << "what is there stays";
  pool.before_filling(part(2).first(10'000));
  EXPECT_EQ(memory_of(block), kHugePage) << "a part that fills none";
}

TEST(ShareableMemoryPool, BeginsBlocksWhereHugePagesBegin) {
  ShareableMemoryPool pool(64U << 20);
  for (const std::size_t size : {kHugePage, 3 * kHugePage + 5}) {
    const PrivateMemory pooled = pool.reserve(size).value();
    const PrivateMemory own = PrivateMemory::reserve_shareable(size).value();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pooled.bytes().data()) % kHugePage, 0U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(own.bytes().data()) % kHugePage, 0U);
  }
}

TEST(ShareableMemoryPool, GivesASmallBlockNoLargeFile) {
  ShareableMemoryPool pool(32U << 20);
  {
    PrivateMemory large = pool.reserve(16U << 20).value();
    std::ranges::fill(large.bytes(), std::byte{7});
  }
  EXPECT_EQ(memory_of(pool.reserve(4U << 20).value()), 0U) << "a new one";
  EXPECT_GE(memory_of(pool.reserve(20U << 20).value()), 16U << 20) << "the one that came back";
}

}  // namespace
}  // namespace cloister
