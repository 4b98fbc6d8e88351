#include "usage_book.h"

#include <utility>

namespace cloister {
namespace {

constexpr const char* kName = "usage";

}  // namespace

/// What the ledger writes to.
class UsageBook::Log final : public UsageStore {
 public:
  explicit Log(std::unique_ptr<SealedLog> log) : log_(std::move(log)) {}
  std::vector<ByteVector> load() override { return log_->take_entries(); }
  Status append(Bytes entry) override { return log_->append(entry); }
  Status restart(Bytes entry) override { return log_->restart(entry); }
  std::uint64_t bytes() const override { return log_->bytes(); }
  LogPosition position() const { return log_->position(); }

 private:
  std::unique_ptr<SealedLog> log_;
};

UsageBook::UsageBook(Vault& vault, const Clock& clock, std::unique_ptr<Log> log)
    : vault_(vault), clock_(clock), log_(std::move(log)), anchored_(clock.steady()) {}

UsageBook::~UsageBook() = default;

Result<std::unique_ptr<UsageBook>> UsageBook::open(Vault& vault, const Clock& clock) {
  CLOISTER_ASSIGN(auto log, vault.open_log(kName));
  std::unique_ptr<UsageBook> book(
      new UsageBook(vault, clock, std::make_unique<Log>(std::move(log))));
  CLOISTER_ASSIGN(book->ledger_, UsageLedger::open(*book->log_, clock));
  return book;
}

Status UsageBook::flush() {
  CLOISTER_TRY(ledger_->flush());
  if (clock_.steady() - anchored_ < kAnchorEvery) return Done{};
  return anchor();
}

Status UsageBook::close() {
  // Twice, as what is young is written by the second.
  CLOISTER_TRY(ledger_->flush());
  CLOISTER_TRY(ledger_->flush());
  return anchor();
}

Status UsageBook::anchor() {
  const LogPosition position = log_->position();
  if (position == position_) return Done{};
  CLOISTER_TRY(vault_.anchor_log(kName, position));
  position_ = position;
  anchored_ = clock_.steady();
  return Done{};
}

}  // namespace cloister
