#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define CLOISTER_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define CLOISTER_THREAD_ATTRIBUTE(x)
#endif

/// Clang's thread safety analysis, checked with clang 14 and -Wthread-safety.
#define GUARDED_BY(mutex) CLOISTER_THREAD_ATTRIBUTE(guarded_by(mutex))
#define REQUIRES(mutex) CLOISTER_THREAD_ATTRIBUTE(requires_capability(mutex))
#define EXCLUDES(mutex) CLOISTER_THREAD_ATTRIBUTE(locks_excluded(mutex))

namespace cloister {

class CLOISTER_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() CLOISTER_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() CLOISTER_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class Signal;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class CLOISTER_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CLOISTER_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() CLOISTER_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition waited for under a Mutex: `while (!condition) signal.wait(mutex);`.
class Signal {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False when `until` passed first.
  template <class TimePoint>
  bool wait_until(Mutex& mutex, TimePoint until) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace cloister
