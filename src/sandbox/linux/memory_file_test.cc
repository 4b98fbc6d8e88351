#include "sandbox/linux/memory_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

namespace cloister {
namespace {

/// This process's memory file, opened once more; not open where there is none.
Descriptor find_memory_file() {
  Descriptor found;
  DIR* const listing = ::opendir("/proc/self/fd");
  if (listing == nullptr) return found;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    char target[32] = {};
    if (::readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
    if (!std::string_view(target).starts_with("/memfd:cloister")) continue;
    found = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  }
  ::closedir(listing);
  return found;
}

// The kernel holds pages for a moment while it moves them; here somebody maps one to write.
TEST(MemoryFile, IsSealedOnceNobodyHoldsItsPages) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kHeld(50);
  const ByteVector content(128U << 20, std::byte{7});
  std::atomic<bool> over = false;
  Clock::time_point released = Clock::time_point::max();
  std::thread holder([&] {
    Descriptor file;
    while (!file.open() && !over) file = find_memory_file();
    if (!file.open()) return;
    void* const page = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (page == MAP_FAILED) return;
    while (memory_of(file.number()) < content.size() && !over) std::this_thread::yield();
    std::this_thread::sleep_for(kHeld);
    released = Clock::now();
    ::munmap(page, 1);
  });
  const auto file = make_memory_file(content, Executable::yes);
  const Clock::time_point sealed = Clock::now();
  over = true;
  holder.join();
  ASSERT_TRUE(file.ok());
  EXPECT_GE(sealed, released);
  EXPECT_NE(::fcntl(file.value().number(), F_GET_SEALS) & F_SEAL_WRITE, 0);
}

}  // namespace
}  // namespace cloister
