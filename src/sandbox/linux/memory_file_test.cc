#include "sandbox/linux/memory_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace cloister {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// This process's memory file of `size` bytes, opened once more; not open where there is none.
Descriptor find_memory_file(std::size_t size) {
  Descriptor found;
  DIR* const listing = ::opendir("/proc/self/fd");
  if (listing == nullptr) return found;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    char target[32] = {};
    struct stat facts {};
    if (::readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
    if (!std::string_view(target).starts_with("/memfd:cloister")) continue;
    if (::stat(path.c_str(), &facts) != 0 || facts.st_size != static_cast<off_t>(size)) continue;
    found = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  }
  ::closedir(listing);
  return found;
}

/// Maps the next memory file of `size` bytes to write, until a while after all of it is there.
class Holder {
 public:
  explicit Holder(std::size_t size) : thread_([this, size] { hold(size); }) {}
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { finish(); }
  /// When it let go; nothing where it never held the file.
  std::optional<SteadyClock::time_point> finish() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return released_;
  }

 private:
  void hold(std::size_t size) {
    Descriptor file;
    while (!file.open() && !over_) file = find_memory_file(size);
    if (!file.open()) return;
    void* const page = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (page == MAP_FAILED) return;
    while (memory_of(file.number()) < size && !over_) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    released_ = SteadyClock::now();
    ::munmap(page, 1);
  }

  std::atomic<bool> over_ = false;
  std::optional<SteadyClock::time_point> released_;
  std::thread thread_;  // last: it uses the others
};

// A mapping to write makes the kernel refuse with EBUSY, as it does where it has a page in hand.
TEST(MemoryFile, IsSealedOnceNobodyHoldsItsPages) {
  const ByteVector content((128U << 20) + 1, std::byte{7});
  std::optional<SteadyClock::time_point> released;
  SteadyClock::time_point sealed;
  for (int tries = 0; tries < 10 && !released; ++tries) {
    Holder holder(content.size());
    const auto file = make_memory_file(content, Executable::yes);
    sealed = SteadyClock::now();
    released = holder.finish();
    ASSERT_TRUE(file.ok());
    EXPECT_NE(::fcntl(file.value().number(), F_GET_SEALS) & F_SEAL_WRITE, 0);
  }
  ASSERT_TRUE(released) << "the holder never came in time";
  EXPECT_GE(sealed, *released);
}

}  // namespace
}  // namespace cloister
