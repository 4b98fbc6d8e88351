#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "evidence/attester.h"

namespace cloister {

/// Keeps the certificate of one key young. Used by one thread.
class CertificateKeeper {
 public:
  /// How long before its end a certificate is made anew.
  static constexpr std::chrono::hours kRenewBefore{4};

  /// `attester` and `clock` must outlive it. `names`: as Attester::certificate takes them.
  CertificateKeeper(Attester& attester, const Clock& clock, std::vector<std::string> names)
      : attester_(attester), clock_(clock), names_(std::move(names)) {}

  /// A certificate (DER) made now, on the attester's key. Fails: as Attester::certificate does; the
  /// one before stays due.
  Result<ByteVector> renew();

  /// Whether the last one ends within kRenewBefore, or was made so long ago that it would: the
  /// host's date may stand still or run back, and then the time that has passed counts. True before
  /// the first one.
  bool is_due() const noexcept;

 private:
  Attester& attester_;
  const Clock& clock_;
  const std::vector<std::string> names_;
  UtcSeconds not_after_{};
  SteadyTime made_at_{};
};

}  // namespace cloister
