#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/ort/ort_abi.h"

namespace cloister {

/// An object of the runtime's, given back by the function that stands beside it in the table.
template <class T>
using OrtOwned = std::unique_ptr<T, void (*)(T*)>;

/// Threads that all sessions of one environment share.
struct OrtThreads {
  int intra_op = 1;
  int inter_op = 1;
};

/// The runtime's library, open, with one environment whose log goes nowhere. Safe from several
/// threads. The library stays mapped until the process ends: its threads and thread-locals do not
/// survive being unmapped.
class OrtRuntime {
 public:
  /// Checks the library's content, opens it and makes the environment. Sets the variables that
  /// turn telemetry off first, so no other thread may run yet. `library` is a path, or
  /// `/proc/self/fd/N` of a sealed memory file. `shared`: makes these threads now, for sessions
  /// that make none of their own.
  /// Fails: `io` (not there, not a library); `unverified` (telemetry uploader, other version).
  static Result<std::shared_ptr<const OrtRuntime>> open(const std::string& library,
                                                         std::optional<OrtThreads> shared = {});
  ~OrtRuntime();
  OrtRuntime(const OrtRuntime&) = delete;
  OrtRuntime& operator=(const OrtRuntime&) = delete;

  const OrtFunctions& functions() const noexcept { return *functions_; }
  const OrtEnv* env() const noexcept { return env_; }
  const OrtMemoryInfo* memory() const noexcept { return memory_; }

  /// Releases `outcome`. Fails: `internal`, or `invalid_argument` where that is the runtime's own
  /// word for it; the Detail is the runtime's text, to 1,000 bytes.
  Status settle(OrtOutcome outcome, Place where, Code invalid_argument = Code::internal) const;

  /// Calls `make`, which yields an object through its last parameter, and takes ownership.
  template <class T, class Make>
  Result<OrtOwned<T>> create(Make&& make, void (*release)(T*), Place where) const {
    T* made = nullptr;
    CLOISTER_TRY(settle(make(&made), where));
    return OrtOwned<T>(made, release);
  }

 private:
  explicit OrtRuntime(const OrtFunctions* functions) noexcept : functions_(functions) {}
  Status make_env(std::optional<OrtThreads> shared);

  const OrtFunctions* functions_;
  OrtEnv* env_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
};

}  // namespace cloister
