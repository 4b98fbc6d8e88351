#include "observe/request_counters.h"

#include <algorithm>

namespace cloister {
namespace {

void add(std::atomic<std::uint64_t>& counter, std::uint64_t value) noexcept {
  counter.fetch_add(value, std::memory_order_relaxed);
}

}  // namespace

void RequestCounters::count(const RequestFinished& request) noexcept {
  const auto status = std::find(kCountedStatuses.begin(), kCountedStatuses.end(), request.status);
  const auto place = static_cast<std::size_t>(status - kCountedStatuses.begin());
  add(requests_[static_cast<std::size_t>(request.kind)][place], 1);
  add(bytes_in_, request.bytes_in);
  add(bytes_out_, request.bytes_out);
  if (request.kind != RequestKind::infer || request.status != 200) return;
  const auto took = static_cast<std::uint64_t>(std::max<std::int64_t>(request.took.count(), 0));
  const auto bound = std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), took);
  add(latencies_[static_cast<std::size_t>(bound - kLatencyBounds.begin())], 1);
  add(latency_sum_, took);
}

const char* name_of(RequestKind kind) noexcept {
  switch (kind) {
    case RequestKind::describe: return "describe";
    case RequestKind::health: return "health";
    case RequestKind::attestation: return "attestation";
    case RequestKind::upload: return "upload";
    case RequestKind::list: return "list";
    case RequestKind::metadata: return "metadata";
    case RequestKind::statistics: return "statistics";
    case RequestKind::infer: return "infer";
    case RequestKind::load: return "load";
    case RequestKind::unload: return "unload";
    case RequestKind::erase: return "erase";
    case RequestKind::account: return "account";
    case RequestKind::none: return "none";
  }
  return "none";
}

}  // namespace cloister
