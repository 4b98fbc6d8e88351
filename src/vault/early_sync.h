#pragma once

#include <cstdint>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/mutex.h"

namespace cloister {

/// Syncs a large file while it is still being written, so that the disk works at the same time as
/// the ciphers. What counts is the caller's own sync in the end: this one's failures show there,
/// and here.
class EarlySync {
 public:
  /// Starts a thread only where `expected_bytes` makes it worth one. `file` must outlive this.
  EarlySync(File& file, std::uint64_t expected_bytes);
  ~EarlySync();
  EarlySync(const EarlySync&) = delete;
  EarlySync& operator=(const EarlySync&) = delete;

  /// `bytes` more were written. From any thread.
  void wrote(std::uint64_t bytes);
  /// Ends the thread. Fails: as a sync did.
  Status finish();

 private:
  void run();

  File& file_;
  Mutex mutex_;
  Signal changed_;
  std::uint64_t unsynced_ GUARDED_BY(mutex_) = 0;
  bool ending_ GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace cloister
