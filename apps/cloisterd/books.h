#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "access/audit_trail.h"
#include "access/quotas.h"
#include "access/usage_ledger.h"
#include "vault/vault.h"

namespace cloister {

/// The usage ledger, the audit trail and what was used of quotas, each on a log of its own in the
/// vault. Flushed and closed by one thread.
class Books {
 public:
  static constexpr std::chrono::seconds kFlushEvery{2};
  static constexpr std::chrono::minutes kAnchorEvery{60};

  /// `quotas` keeps their terms. All must outlive the books. Fails: `corrupt` for a damaged or
  /// shortened log, `io`.
  static Result<std::unique_ptr<Books>> open(Vault& vault, RecordStore& quotas,
                                             const Clock& clock);

  ~Books();

  UsageLedger& usage() noexcept { return *usage_; }
  AuditTrail& audit() noexcept { return *audit_; }
  Quotas& quotas() noexcept { return *quotas_; }
  /// Puts an event on the server itself into its chain. Fails: as the trail does.
  Status note(AuditAction action, const std::optional<Sha256Digest>& sha256 = {});
  /// Makes durable what is due; at most once in kAnchorEvery the catalogue learns how far the logs
  /// have come. One that fails keeps none of the others. Fails: `io`; what was to be written stays
  /// to be written.
  Status flush();
  /// The last flush: all that was recorded, and anchored.
  Status close();

 private:
  class Log;
  explicit Books(const Clock& clock);
  Status anchor();

  const Clock& clock_;
  std::unique_ptr<Log> usage_log_, audit_log_, quotas_log_;
  std::unique_ptr<UsageLedger> usage_;
  std::unique_ptr<AuditTrail> audit_;
  std::unique_ptr<Quotas> quotas_;
  SteadyTime anchored_at_;
};

}  // namespace cloister
