#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>

#include "access/entry_store.h"
#include "access/record_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kQuotasMax = 10'000;
inline constexpr std::uint64_t kQuotaMax = 1ULL << 53;  ///< of every number
inline constexpr std::chrono::seconds kQuotaIntervalMax{24 * 3600 * 31};

/// How much a principal may use; what is not set is not bounded by these.
struct QuotaTerms {
  std::optional<std::uint64_t> stored_bytes;     ///< of an owner's models, as they lie in the store
  std::optional<std::uint64_t> versions;         ///< of an owner's models
  std::optional<std::uint64_t> requests;         ///< inferences begun in one interval
  std::optional<std::uint64_t> compute_seconds;  ///< of runs in one interval
  std::optional<std::uint64_t> runs;             ///< inferences under way at one time
  std::chrono::seconds interval{3600};
  bool operator==(const QuotaTerms&) const = default;
  bool bound_nothing() const noexcept {
    return !stored_bytes && !versions && !requests && !compute_seconds && !runs;
  }
};

/// Which number is used up, and when it may be worth asking again.
struct QuotaRefusal {
  const char* what;  ///< "requests", "compute_seconds", "runs"
  std::chrono::seconds retry_after;
};

/// The quotas of principals, which who created them sets, and what is left of them. What was used
/// goes on counting after a restart, but for what came after the last flush. Intervals go by the
/// host's clock. Safe from several threads.
class Quotas {
 public:
  /// `terms` keeps the quotas, `used` what was used of them; both and `clock` outlive it.
  /// Fails: `corrupt`.
  static Result<std::unique_ptr<Quotas>> open(RecordStore& terms, EntryStore& used,
                                              const Clock& clock);

  /// At once and durable. Terms that bound nothing remove the quota.
  /// Fails: `invalid` (a number past kQuotaMax, an interval of none or too many seconds),
  /// `too_large` (kQuotasMax), `io`.
  Status set(const PrincipalId& principal, const QuotaTerms& terms);
  /// Terms that bound nothing where there are none.
  QuotaTerms of(const PrincipalId& principal) const;

  /// One inference: under way for as long as this lives. Outlived by its Quotas.
  class Run {
   public:
    Run(Quotas& quotas, PrincipalId principal)
        : quotas_(quotas), principal_(std::move(principal)) {}
    ~Run() { quotas_.end(principal_, compute_); }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    /// What the model's run took.
    void took(std::chrono::nanoseconds compute) noexcept { compute_ = compute; }

   private:
    Quotas& quotas_;
    const PrincipalId principal_;
    std::chrono::nanoseconds compute_{};
  };
  /// Null where the principal has no quota.
  using Begun = std::variant<std::unique_ptr<Run>, QuotaRefusal>;
  Begun begin(const PrincipalId& principal);

  /// Makes durable what was used before the call. On failure it stays to be flushed again.
  /// Fails: as the store does.
  Status flush();

 private:
  struct Used {
    std::optional<SteadyTime> since;  ///< the interval's beginning; nothing before the first
    std::uint64_t requests = 0;
    std::chrono::nanoseconds compute{};
    std::uint64_t runs = 0;
    bool is_written = true;
  };
  struct Entry {
    QuotaTerms terms;
    Used used;
  };
  using Table = std::map<PrincipalId, Entry>;

  Quotas(RecordStore& terms, EntryStore& used, const Clock& clock)
      : terms_(terms), used_(used), clock_(clock) {}
  static ByteVector encode(const Table& table);
  static Result<Table> decode(Bytes content);
  std::optional<QuotaRefusal> refusal(Entry& entry, SteadyTime now) const;
  Status load_used(Bytes encoded) REQUIRES(mutex_);
  ByteVector encode_used(bool all) REQUIRES(mutex_);
  void end(const PrincipalId& principal, std::chrono::nanoseconds compute) noexcept;
  Table current() const EXCLUDES(mutex_);

  RecordStore& terms_;
  EntryStore& used_;
  const Clock& clock_;
  Mutex changes_;  // one change at a time; taken before mutex_
  Mutex flush_;    // one flush at a time; taken before mutex_
  bool must_restart_ GUARDED_BY(flush_) = true;  // a log goes on only behind an entry of this start
  mutable Mutex mutex_;
  Table table_ GUARDED_BY(mutex_);
};

}  // namespace cloister
