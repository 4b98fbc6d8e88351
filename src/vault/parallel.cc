#include "vault/parallel.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "base/caught.h"
#include "base/mutex.h"

namespace cloister {
namespace {

class WorkList {
 public:
  WorkList(std::uint64_t count,
           const std::function<Status(std::uint64_t, unsigned)>& work) noexcept
      : count_(count), work_(work) {}

  void drain(unsigned thread) {
    for (std::uint64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
      const Status done = caught("vault.parallel", [&] { return work_(i, thread); });
      if (done.ok()) continue;
      next_.store(count_);
      const MutexLock lock(mutex_);
      if (!failure_) failure_ = done.error();
      return;
    }
  }

  Status outcome() {
    const MutexLock lock(mutex_);
    if (failure_) return *failure_;
    return Done{};
  }

 private:
  const std::uint64_t count_;
  const std::function<Status(std::uint64_t, unsigned)>& work_;
  std::atomic<std::uint64_t> next_{0};
  Mutex mutex_;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
};

}  // namespace

Status for_each_in_parallel(std::uint64_t count, unsigned threads,
                            const std::function<Status(std::uint64_t, unsigned)>& work) {
  WorkList list(count, work);
  {
    std::vector<std::jthread> others;
    const auto wanted = static_cast<unsigned>(std::min<std::uint64_t>(threads, count));
    for (unsigned i = 1; i < wanted; ++i) {
      try {
        others.emplace_back([&list, i] { list.drain(i); });
      } catch (const std::system_error&) {
        break;  // fewer threads do the same work
      }
    }
    list.drain(0);
  }
  return list.outcome();
}

}  // namespace cloister
