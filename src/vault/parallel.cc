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
  WorkList(std::uint64_t count, std::uint64_t together,
           const std::function<Status(std::uint64_t, unsigned)>& work) noexcept
      : count_(count), together_(together), work_(work) {}

  void drain(unsigned thread) {
    for (std::uint64_t first = next_.fetch_add(together_); first < count_;
         first = next_.fetch_add(together_)) {
      const std::uint64_t end = std::min(count_, first + together_);
      for (std::uint64_t i = first; i < end; ++i) {
        const Status done = caught("vault.parallel", [&] { return work_(i, thread); });
        if (!done.ok()) return fail(done.error());
      }
    }
  }

  Status outcome() {
    const MutexLock lock(mutex_);
    if (failure_) return *failure_;
    return Done{};
  }

 private:
  void fail(const Error& error) {
    next_.store(count_);
    const MutexLock lock(mutex_);
    if (!failure_) failure_ = error;
  }

  const std::uint64_t count_;
  const std::uint64_t together_;
  const std::function<Status(std::uint64_t, unsigned)>& work_;
  std::atomic<std::uint64_t> next_{0};
  Mutex mutex_;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
};

}  // namespace

Status for_each_in_parallel(std::uint64_t count, unsigned threads,
                            const std::function<Status(std::uint64_t, unsigned)>& work,
                            std::uint64_t together) {
  WorkList list(count, together, work);
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
