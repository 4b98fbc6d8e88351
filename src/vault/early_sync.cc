#include "vault/early_sync.h"

#include <system_error>

namespace cloister {
namespace {

constexpr std::uint64_t kStepBytes = 32U << 20;

}  // namespace

EarlySync::EarlySync(File& file, std::uint64_t expected_bytes) : file_(file) {
  if (expected_bytes < 2 * kStepBytes) return;
  try {
    thread_ = std::jthread([this] { run(); });
  } catch (const std::system_error&) {
    return;  // the sync in the end does all of the work
  }
}

EarlySync::~EarlySync() {
  const Status finished = finish();
  static_cast<void>(finished.ok());
}

void EarlySync::wrote(std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  unsynced_ += bytes;
  if (unsynced_ >= kStepBytes) changed_.notify_one();
}

Status EarlySync::finish() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  const MutexLock lock(mutex_);
  if (failure_) return *failure_;
  return Done{};
}

void EarlySync::run() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      while (!ending_ && unsynced_ < kStepBytes) changed_.wait(mutex_);
      if (ending_) return;
      unsynced_ = 0;
    }
    const Status synced = file_.sync();
    if (synced.ok()) continue;
    const MutexLock lock(mutex_);
    failure_ = synced.error();
    return;
  }
}

}  // namespace cloister
