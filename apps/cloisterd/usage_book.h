#pragma once

#include <chrono>
#include <memory>

#include "access/usage_ledger.h"
#include "vault/vault.h"

namespace cloister {

/// The usage ledger on its log in the vault. Flushed and closed by one thread.
class UsageBook {
 public:
  static constexpr std::chrono::seconds kFlushEvery{2};
  static constexpr std::chrono::minutes kAnchorEvery{60};

  /// Both must outlive the book. Fails: `corrupt` for a damaged or shortened log, `io`.
  static Result<std::unique_ptr<UsageBook>> open(Vault& vault, const Clock& clock);

  ~UsageBook();

  UsageLedger& ledger() noexcept { return *ledger_; }
  /// Makes durable what is due; at most once in kAnchorEvery the catalogue learns how far the log
  /// has come. Fails: `io`; what was to be written stays to be written.
  Status flush();
  /// The last flush: all that was recorded, and anchored.
  Status close();

 private:
  class Log;
  UsageBook(Vault& vault, const Clock& clock, std::unique_ptr<Log> log);
  Status anchor();

  Vault& vault_;
  const Clock& clock_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<UsageLedger> ledger_;
  SteadyTime anchored_;
  LogPosition position_;  ///< that the catalogue knows
};

}  // namespace cloister
