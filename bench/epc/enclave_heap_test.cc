#include "epc/enclave_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace cloister {
namespace {

std::uintptr_t address(const void* block) { return reinterpret_cast<std::uintptr_t>(block); }

TEST(EnclaveHeap, RefusesMoreThanThereIs) {
  EnclaveHeap heap;
  EXPECT_EQ(heap.allocate(EnclaveHeap::kBytesMax + 1, 16), nullptr);
  EXPECT_EQ(heap.allocate(SIZE_MAX, 16), nullptr);
  EXPECT_FALSE(heap.holds(&heap));
}

TEST(EnclaveHeap, GivesAlignedBlocksThatDoNotOverlap) {
  EnclaveHeap heap;
  std::map<std::uintptr_t, std::size_t> blocks;
  std::mt19937 random(3);
  for (int i = 0; i < 4000; ++i) {
    const std::size_t bytes = random() % (random() % 10 == 0 ? 100000 : 3000);
    const std::size_t alignment = std::size_t{16} << (random() % 10);
    void* const block = heap.allocate(bytes, alignment);
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(address(block) % alignment, 0U) << bytes << " " << alignment;
    ASSERT_TRUE(heap.holds(block));
    ASSERT_GE(heap.room(block), bytes);
    std::memset(block, 1, bytes);
    const auto next = blocks.lower_bound(address(block));
    if (next != blocks.end()) {
      ASSERT_LE(address(block) + heap.room(block), next->first);
    }
    if (next != blocks.begin()) {
      ASSERT_LE(std::prev(next)->first + std::prev(next)->second, address(block));
    }
    blocks[address(block)] = heap.room(block);
    if (i % 3 == 0) {
      const auto gone = std::next(blocks.begin(), static_cast<long>(random() % blocks.size()));
      heap.release(reinterpret_cast<void*>(gone->first));
      blocks.erase(gone);
    }
  }
}

TEST(EnclaveHeap, JoinsWhatIsFreedAndUsesTheLowestThatFits) {
  EnclaveHeap heap;
  void* const first = heap.allocate(5 * 4096, 16);
  void* const second = heap.allocate(7 * 4096, 16);
  void* const third = heap.allocate(9 * 4096, 16);
  heap.release(first);
  heap.release(third);
  heap.release(second);
  EXPECT_EQ(heap.allocate(21 * 4096, 16), first);
}

TEST(EnclaveHeap, UsesAFreedSmallBlockAgain) {
  EnclaveHeap heap;
  void* const block = heap.allocate(100, 16);
  heap.release(block);
  EXPECT_EQ(heap.allocate(128, 64), block);
}

}  // namespace
}  // namespace cloister
