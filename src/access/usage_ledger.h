#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "access/entry_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kUsageRowsMax = 100'000;
inline constexpr std::chrono::days kUsageKept{400};

/// What was used: no content, no shapes, no time finer than a day.
struct UsageAmount {
  std::uint64_t requests = 0;
  std::uint64_t compute_us = 0;  ///< microseconds of runs
  std::uint64_t bytes_in = 0;    ///< of request bodies
  std::uint64_t bytes_out = 0;   ///< of response bodies
  bool operator==(const UsageAmount&) const = default;
};

struct UsageRow {
  VersionRef version;
  PrincipalId principal;
  std::chrono::sys_days day;  ///< UTC
  UsageAmount amount;
  bool operator==(const UsageRow&) const = default;
};

/// Counts what each principal used of each model version each day. What was recorded since the last
/// flush but one is lost in a crash; nothing is ever counted twice, and nothing whose answer may
/// still be on its way is made durable. Safe from several threads.
/// Source: docs/access.md, "Usage".
class UsageLedger {
 public:
  /// `store` and `clock` must outlive the ledger. Fails: `corrupt`; else as the store does.
  static Result<std::unique_ptr<UsageLedger>> open(EntryStore& store, const Clock& clock);

  /// In memory; never waits for a disk. Past kUsageRowsMax rows what is new is not counted, and
  /// `overflowed` says so.
  void record(const VersionRef& version, const PrincipalId& principal, const UsageAmount& amount);
  /// Makes durable what was recorded before the previous call; so two calls make durable all that
  /// was recorded before them. On failure it stays to be flushed again. Fails: as the store does.
  Status flush();

  /// All that was recorded for models of `owner`, in order of version, principal, day.
  std::vector<UsageRow> of_owner(const PrincipalId& owner) const;
  /// All that `principal` used.
  std::vector<UsageRow> of_principal(const PrincipalId& principal) const;
  bool overflowed() const;

 private:
  using Key = std::tuple<VersionRef, PrincipalId, std::chrono::sys_days>;
  using Rows = std::map<Key, UsageAmount>;

  UsageLedger(EntryStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  static ByteVector encode(const Rows& rows);
  static Status add_entry(Bytes entry, Rows& rows);
  static void add(UsageAmount& to, const UsageAmount& more) noexcept;
  void grow_older() REQUIRES(mutex_);
  template <class Wanted>
  std::vector<UsageRow> select(Wanted wanted) const;
  Status write(const Rows& pending, const Rows& all) REQUIRES(flush_);

  EntryStore& store_;
  const Clock& clock_;
  mutable Mutex flush_;  // one flush at a time; taken before mutex_
  bool must_restart_ GUARDED_BY(flush_) = false;
  std::uint64_t summed_bytes_ GUARDED_BY(flush_) = 0;
  mutable Mutex mutex_;
  Rows rows_ GUARDED_BY(mutex_);     // all that was recorded before the last flush
  Rows pending_ GUARDED_BY(mutex_);  // of these, what is not yet durable
  Rows young_ GUARDED_BY(mutex_);    // recorded since the last flush
  bool overflowed_ GUARDED_BY(mutex_) = false;
};

}  // namespace cloister
