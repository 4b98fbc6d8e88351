#include "books.h"

#include <initializer_list>
#include <utility>

#include "base/mutex.h"

namespace cloister {
namespace {

/// Of things that were all tried.
Status first_failure(std::initializer_list<Status> tried) {
  for (const Status& each : tried) {
    if (!each.ok()) return each;
  }
  return Done{};
}

}  // namespace

/// What a book writes to. The trail is written by requests while the flushing thread anchors.
class Books::Log final : public EntryStore {
 public:
  static Result<std::unique_ptr<Log>> open(Vault& vault, const std::string& name) {
    CLOISTER_ASSIGN(auto log, vault.open_log(name));
    return std::make_unique<Log>(vault, name, std::move(log));
  }
  Log(Vault& vault, std::string name, std::unique_ptr<SealedLog> log)
      : vault_(vault), name_(std::move(name)), log_(std::move(log)) {}

  std::vector<ByteVector> load() override {
    const MutexLock lock(mutex_);
    return log_->take_entries();
  }
  Status append(Bytes entry) override {
    const MutexLock lock(mutex_);
    return log_->append(entry);
  }
  Status restart(Bytes entry) override {
    const MutexLock lock(mutex_);
    return log_->restart(entry);
  }
  std::uint64_t bytes() const override {
    const MutexLock lock(mutex_);
    return log_->bytes();
  }

  /// Puts into the catalogue how far the log has come, unless it knows. By one thread at a time.
  Status anchor() {
    const LogPosition position = position_now();
    if (position == anchored_) return Done{};
    CLOISTER_TRY(vault_.anchor_log(name_, position));
    anchored_ = position;
    return Done{};
  }

 private:
  LogPosition position_now() const {
    const MutexLock lock(mutex_);
    return log_->position();
  }

  Vault& vault_;
  const std::string name_;
  LogPosition anchored_;
  mutable Mutex mutex_;
  const std::unique_ptr<SealedLog> log_ GUARDED_BY(mutex_);
};

Books::Books(const Clock& clock) : clock_(clock), anchored_at_(clock.steady()) {}

Books::~Books() = default;

Result<std::unique_ptr<Books>> Books::open(Vault& vault, RecordStore& quotas,
                                           const Clock& clock) {
  std::unique_ptr<Books> books(new Books(clock));
  CLOISTER_ASSIGN(books->usage_log_, Log::open(vault, "usage"));
  CLOISTER_ASSIGN(books->audit_log_, Log::open(vault, "audit"));
  CLOISTER_ASSIGN(books->quotas_log_, Log::open(vault, "quotas"));
  CLOISTER_ASSIGN(books->usage_, UsageLedger::open(*books->usage_log_, clock));
  CLOISTER_ASSIGN(books->audit_, AuditTrail::open(*books->audit_log_, clock));
  CLOISTER_ASSIGN(books->quotas_, Quotas::open(quotas, *books->quotas_log_, clock));
  return books;
}

Status Books::note(AuditAction action, const std::optional<Sha256Digest>& sha256) {
  AuditEvent event;
  event.action = action;
  event.sha256 = sha256;
  return audit_->record(kServerChain, event);
}

Status Books::flush() {
  const Status flushed = first_failure({usage_->flush(), audit_->flush(), quotas_->flush()});
  if (clock_.steady() - anchored_at_ < kAnchorEvery) return flushed;
  return first_failure({flushed, anchor()});
}

Status Books::close() {
  // Twice, as what is young is written by the second.
  return first_failure({usage_->flush(), usage_->flush(), audit_->flush(), quotas_->flush(),
                        anchor()});
}

Status Books::anchor() {
  CLOISTER_TRY(
      first_failure({usage_log_->anchor(), audit_log_->anchor(), quotas_log_->anchor()}));
  anchored_at_ = clock_.steady();
  return Done{};
}

}  // namespace cloister
