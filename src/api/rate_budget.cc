#include "api/rate_budget.h"

#include <algorithm>
#include <string>

namespace cloister {
namespace {

constexpr std::size_t kIdleMax = 1024;  // principals remembered who have their whole second again

}  // namespace

Status RateBudget::take(const PrincipalId& principal, SteadyTime now) {
  if (per_second_max_ == 0) return Done{};
  const double most = per_second_max_;
  const MutexLock lock(mutex_);
  if (allowances_.size() > kIdleMax) {
    std::erase_if(allowances_, [&](const auto& each) {
      return now - each.second.at >= std::chrono::seconds(1);
    });
  }
  const auto [place, is_new] = allowances_.try_emplace(principal, Allowance{most, now});
  Allowance& allowance = place->second;
  const std::chrono::duration<double> passed = now - allowance.at;
  allowance.requests = std::min(most, allowance.requests + most * std::max(passed.count(), 0.0));
  allowance.at = now;
  if (allowance.requests < 1) {
    return Error{Code::busy, "rate.principal",
                 Detail("more than " + std::to_string(per_second_max_) +
                        " requests a second; wait before the next")};
  }
  allowance.requests -= 1;
  return Done{};
}

}  // namespace cloister
