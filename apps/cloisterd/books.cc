#include "books.h"

#include <utility>

#include "base/mutex.h"

namespace cloister {

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

Books::Books(const Clock& clock) : clock_(clock), anchored_(clock.steady()) {}

Books::~Books() = default;

Result<std::unique_ptr<Books>> Books::open(Vault& vault, const Clock& clock) {
  std::unique_ptr<Books> books(new Books(clock));
  CLOISTER_ASSIGN(books->usage_log_, Log::open(vault, "usage"));
  CLOISTER_ASSIGN(books->audit_log_, Log::open(vault, "audit"));
  CLOISTER_ASSIGN(books->usage_, UsageLedger::open(*books->usage_log_, clock));
  CLOISTER_ASSIGN(books->audit_, AuditTrail::open(*books->audit_log_, clock));
  return books;
}

Status Books::flush() {
  CLOISTER_TRY(usage_->flush());
  CLOISTER_TRY(audit_->flush());
  if (clock_.steady() - anchored_ < kAnchorEvery) return Done{};
  return anchor();
}

Status Books::close() {
  // Twice, as what is young is written by the second.
  CLOISTER_TRY(usage_->flush());
  CLOISTER_TRY(usage_->flush());
  CLOISTER_TRY(audit_->flush());
  return anchor();
}

Status Books::anchor() {
  CLOISTER_TRY(usage_log_->anchor());
  CLOISTER_TRY(audit_log_->anchor());
  anchored_ = clock_.steady();
  return Done{};
}

}  // namespace cloister
