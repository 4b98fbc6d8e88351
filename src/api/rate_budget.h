#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"

namespace cloister {

/// How many requests each principal may begin in a second, so that none takes the server's threads
/// for heads alone. A second's worth may come at once. Safe from several threads.
class RateBudget {
 public:
  /// 0: no bound.
  explicit RateBudget(std::uint32_t per_second_max) noexcept : per_second_max_(per_second_max) {}

  /// Counts one request. Fails: `busy`.
  Status take(const PrincipalId& principal, SteadyTime now);

 private:
  struct Allowance {
    double requests = 0;
    SteadyTime at{};
  };
  const std::uint32_t per_second_max_;
  Mutex mutex_;
  std::map<PrincipalId, Allowance> allowances_ GUARDED_BY(mutex_);
};

}  // namespace cloister
