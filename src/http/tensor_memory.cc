#include "http/tensor_memory.h"

#include <algorithm>
#include <string>

namespace cloister {
namespace {

constexpr std::uint64_t kAlignment = 64;

std::uint64_t aligned(std::uint64_t at) noexcept {
  return (at + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::uint64_t TensorMemory::left() const noexcept {
  return bytes_max_ - std::min(bytes_max_, aligned(used_));
}

Result<MutableBytes> TensorMemory::take(std::uint64_t bytes) {
  if (bytes == 0) return MutableBytes();
  const std::uint64_t at = aligned(used_);
  if (bytes > left()) {
    return Error{Code::too_large, "http.tensor_memory",
                 Detail("the tensors take more than " + std::to_string(bytes_max_) +
                        " bytes once decoded")};
  }
  if (block_.size() == 0) {
    CLOISTER_ASSIGN(block_, pool_ == nullptr ? PrivateMemory::reserve(bytes_max_)
                                             : pool_->reserve(bytes_max_));
  }
  used_ = at + bytes;
  return block_.bytes().subspan(at, bytes);
}

void TensorMemory::shrink_last(MutableBytes piece, std::uint64_t kept) noexcept {
  CLOISTER_CHECK(kept <= piece.size() &&
                 (piece.empty() || piece.data() + piece.size() == block_.bytes().data() + used_));
  used_ -= piece.size() - kept;
}

}  // namespace cloister
