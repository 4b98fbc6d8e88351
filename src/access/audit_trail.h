#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "access/entry_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kAuditEventsPerChainMax = 5'000;
inline constexpr std::size_t kAuditEventsMax = 50'000;
inline constexpr std::size_t kAuditChainsMax = 20'000;
inline constexpr std::chrono::hours kRefusedEvery{1};

/// What happened; docs/access.md says what each event is about.
enum class AuditAction : std::uint8_t {
  server_started, server_stopped, software, receipt_key, model_key, certificate_renewed,
  store_handed_over, store_taken_over, refused_authentications, principal_created,
  principal_removed, token_minted, tokens_revoked, quota_set, authority_added, authority_removed,
  certificate_bound, grant_given, grant_taken_back, version_uploaded, version_imported,
  version_erased, model_loaded, model_unloaded
};
/// "server-started", ...
const char* name_of(AuditAction action) noexcept;

/// `denied` by the table of rights, `refused` for what it was, `failed` for the server's part.
enum class AuditOutcome : std::uint8_t { done, denied, refused, failed };
const char* name_of(AuditOutcome outcome) noexcept;

/// Who did what to what, and what came of it. Names, numbers and digests only: no content.
struct AuditEvent {
  AuditAction action{};
  AuditOutcome outcome = AuditOutcome::done;
  PrincipalId actor;                       ///< empty: the server itself
  std::string model;                       ///< of the chain's owner; empty: about none
  std::optional<VersionNumber> version;
  PrincipalId principal;                   ///< whom it was about; empty: nobody
  /// Of the model, key, certificate, configuration or software.
  std::optional<Sha256Digest> sha256;
  std::optional<std::uint64_t> count;
};

/// Who is told of events on the server itself.
inline const PrincipalId kServerChain{};

/// One chain of events for each owner, about what is his, and one about the server. Each event is
/// bound to all before it in its chain: link = SHA-256(link before | the event's JSON). A chain
/// keeps its newest events and the link before them. Safe from several threads, which may have to
/// wait for the disk. Source: docs/access.md, "Audit".
class AuditTrail {
 public:
  /// Both must outlive the trail. Fails: `corrupt`.
  static Result<std::unique_ptr<AuditTrail>> open(EntryStore& store, const Clock& clock);

  /// Durable on success. A denial like one of the last kRefusedEvery (whose, who, what) is passed
  /// over: who may do nothing can fill no chain. Fails: `too_large` past 600 bytes of JSON and for
  /// a chain beyond kAuditChainsMax; as the store does, and the event is then written with the next
  /// one.
  Status record(const PrincipalId& whose, const AuditEvent& event);
  /// An authentication was refused. Never waits; `flush` makes one event of all.
  void count_refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }
  /// Records the refused authentications, at most once in kRefusedEvery. Fails: as `record`.
  Status flush();
  /// Drops the chain of a principal who is no more. Fails: as `record`.
  Status forget(const PrincipalId& whose);

  /// The later part of a chain. Event n (from 1) has the number n; `count` events there were.
  struct Part {
    std::uint64_t first = 1;  ///< number of the first event here, or of the next to come
    Sha256Digest before{};    ///< the link of the event before it
    std::vector<std::string> events;  ///< JSON objects
    std::uint64_t count = 0;
    Sha256Digest head{};      ///< the link of event `count`
  };
  /// What is kept of the events after number `after`. All of it is durable. Fails: as `record`.
  Result<Part> part_of(const PrincipalId& whose, std::uint64_t after);

 private:
  struct Event {
    std::string json;
    Sha256Digest link;
  };
  struct Chain {
    std::uint64_t dropped = 0;
    Sha256Digest before{};
    std::deque<Event> events;
  };

  AuditTrail(EntryStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  Chain& chain_of(const PrincipalId& whose) REQUIRES(mutex_);
  bool was_denied(const PrincipalId& whose, const AuditEvent& event) REQUIRES(mutex_);
  void add(const PrincipalId& whose, std::string json) REQUIRES(mutex_);
  static void drop_oldest(Chain& chain);
  Status load(Bytes entry) REQUIRES(mutex_);
  Status load_whole(class ByteReader& reader) REQUIRES(mutex_);
  ByteVector encode_all() const REQUIRES(mutex_);
  Status write(const PrincipalId& whose, const std::string& json) REQUIRES(mutex_);
  Status write_all() REQUIRES(mutex_);

  EntryStore& store_;
  const Clock& clock_;
  std::atomic<std::uint64_t> refused_{0};
  Mutex mutex_;  // held while the disk is written: who records may wait
  std::map<PrincipalId, Chain> chains_ GUARDED_BY(mutex_);
  std::size_t events_ GUARDED_BY(mutex_) = 0;
  bool must_restart_ GUARDED_BY(mutex_) = true;  // a log goes on only behind an entry of this start
  bool unwritten_ GUARDED_BY(mutex_) = false;    // an event in memory is not in the store
  std::uint64_t summed_bytes_ GUARDED_BY(mutex_) = 0;
  std::optional<SteadyTime> refused_at_ GUARDED_BY(mutex_);
  std::set<std::string> denied_ GUARDED_BY(mutex_);  // since denied_since_
  SteadyTime denied_since_ GUARDED_BY(mutex_){};
};

}  // namespace cloister
