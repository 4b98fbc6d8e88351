#include "base/posix/posix_entropy.h"

#include <sys/random.h>

#include <cerrno>

namespace cloister {

Status PosixEntropy::fill(MutableBytes destination) noexcept {
  while (!destination.empty()) {
    const ssize_t count = ::getrandom(destination.data(), destination.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error{Code::io, "base.entropy"};
    destination = destination.subspan(static_cast<std::size_t>(count));
  }
  return Done{};
}

}  // namespace cloister
