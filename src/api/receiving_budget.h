#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"

namespace cloister {

/// Counts the bytes that each principal has in memory for requests: bodies being received, tensors
/// decoded from them, answers that wait to be read. So neither a sender nor a slow reader can fill
/// the server's memory. Safe from several threads; lives as long
/// as any hold that it gave.
class ReceivingBudget : public std::enable_shared_from_this<ReceivingBudget> {
 public:
  static std::shared_ptr<ReceivingBudget> make(std::uint64_t bytes_per_principal_max) {
    return std::shared_ptr<ReceivingBudget>(new ReceivingBudget(bytes_per_principal_max));
  }

  /// Counts `bytes` until the returned hold is destroyed.
  /// Fails: `too_large` when `bytes` alone pass the bound, `busy` when others take what is left.
  Result<std::shared_ptr<void>> take(const PrincipalId& principal, std::uint64_t bytes);

 private:
  class Hold;
  explicit ReceivingBudget(std::uint64_t most) : most_(most) {}
  void give_back(const PrincipalId& principal, std::uint64_t bytes);

  const std::uint64_t most_;
  Mutex mutex_;
  std::map<PrincipalId, std::uint64_t> taken_ GUARDED_BY(mutex_);
};

}  // namespace cloister
