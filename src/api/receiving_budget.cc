#include "api/receiving_budget.h"

#include <utility>

namespace cloister {

class ReceivingBudget::Hold {
 public:
  Hold(std::shared_ptr<ReceivingBudget> budget, PrincipalId principal, std::uint64_t bytes)
      : budget_(std::move(budget)), principal_(std::move(principal)), bytes_(bytes) {}
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { budget_->give_back(principal_, bytes_); }

 private:
  std::shared_ptr<ReceivingBudget> budget_;
  PrincipalId principal_;
  std::uint64_t bytes_;
};

Result<std::shared_ptr<void>> ReceivingBudget::take(const PrincipalId& principal,
                                                    std::uint64_t bytes) {
  if (bytes == 0) return std::shared_ptr<void>();
  if (bytes > most_) {
    return Error{Code::too_large, "receiving.bytes",
                 Detail("a request or an answer may take at most " + std::to_string(most_) +
                        " bytes of memory")};
  }
  {
    const MutexLock lock(mutex_);
    std::uint64_t& taken = taken_[principal];
    if (bytes > most_ - taken) {
      return Error{Code::busy, "receiving.principal",
                   Detail("your requests, and answers that you have not read yet, take all the "
                          "memory that one principal may have; wait for some to finish")};
    }
    taken += bytes;
  }
  return std::shared_ptr<void>(std::make_shared<Hold>(shared_from_this(), principal, bytes));
}

void ReceivingBudget::give_back(const PrincipalId& principal, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  const auto found = taken_.find(principal);
  CLOISTER_CHECK(found != taken_.end() && found->second >= bytes);
  found->second -= bytes;
  if (found->second == 0) taken_.erase(found);
}

}  // namespace cloister
