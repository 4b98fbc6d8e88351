#pragma once

#include <deque>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "residency/residency.h"
#include "serving/stored_index.h"
#include "serving/trial.h"

namespace cloister {

/// Gives versions whose optimised form is missing, damaged or for another runtime or processor a
/// new one, one after the other, on a thread of its own: they serve as they are meanwhile. Owners
/// take turns. Each version is tried once in a process's life, but again where memory was short.
/// Safe from several threads.
class FormRebuilder {
 public:
  struct Places {
    Vault& vault;
    Residency& residency;  ///< where the memory for it is set aside
    StoredIndex& stored;   ///< is told what a version takes then
  };
  /// What `places` and `parts` refer to must outlive it.
  FormRebuilder(Places places, TrialParts parts, TrialSettings settings);
  ~FormRebuilder();
  FormRebuilder(const FormRebuilder&) = delete;
  FormRebuilder& operator=(const FormRebuilder&) = delete;

  /// `ref` was loaded without a fitting form. Returns at once; past the limits it is forgotten, and
  /// asked for again at the next load.
  void want(const VersionRef& ref) EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kWantedMax = 256;
  static constexpr std::size_t kTriedMax = 1U << 16;

  void loop() EXCLUDES(mutex_);
  /// The first of those wanted, of another owner than the last one's where there is one.
  VersionRef next() REQUIRES(mutex_);
  Status rebuild(const VersionRef& ref) const;

  const Places places_;
  const TrialParts parts_;
  const TrialSettings settings_;
  const bool optimises_;
  Mutex mutex_;
  Signal changed_;
  std::deque<VersionRef> wanted_ GUARDED_BY(mutex_);
  std::set<VersionRef> tried_ GUARDED_BY(mutex_);
  PrincipalId last_owner_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last: it uses the fields above
};

}  // namespace cloister
