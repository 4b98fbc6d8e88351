#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "observe/events.h"

namespace cloister {

/// The statuses that are told apart; every other is counted as 500.
inline constexpr std::array<int, 20> kCountedStatuses = {200, 201, 400, 401, 403, 404, 405,
                                                         406, 408, 409, 411, 413, 414, 415,
                                                         417, 422, 429, 431, 503, 504};
inline constexpr std::size_t kRequestKinds = static_cast<std::size_t>(RequestKind::none) + 1;

/// Upper bounds of the histogram of inference times, in microseconds.
inline constexpr std::array<std::uint64_t, 14> kLatencyBounds = {
    250,    500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

/// How many requests of each kind ended how, since the start. Safe from any thread.
class RequestCounters {
 public:
  void count(const RequestFinished& request) noexcept;

  std::uint64_t requests(RequestKind kind, std::size_t status) const noexcept {
    return requests_[static_cast<std::size_t>(kind)][status].load(std::memory_order_relaxed);
  }
  /// `status`: its place in kCountedStatuses; one past the end for all others.
  static constexpr std::size_t kStatuses = kCountedStatuses.size() + 1;
  std::uint64_t bytes_in() const noexcept { return bytes_in_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_out() const noexcept { return bytes_out_.load(std::memory_order_relaxed); }
  /// Inferences that took at most the bound of their place; one past the end for the rest.
  std::uint64_t latencies(std::size_t place) const noexcept {
    return latencies_[place].load(std::memory_order_relaxed);
  }
  std::chrono::microseconds latency_sum() const noexcept {
    return std::chrono::microseconds(latency_sum_.load(std::memory_order_relaxed));
  }

 private:
  using Counter = std::atomic<std::uint64_t>;
  std::array<std::array<Counter, kStatuses>, kRequestKinds> requests_{};
  std::array<Counter, kLatencyBounds.size() + 1> latencies_{};
  Counter latency_sum_{0};
  Counter bytes_in_{0};
  Counter bytes_out_{0};
};

/// The lower-case name of `kind`, as logs and metrics have it.
const char* name_of(RequestKind kind) noexcept;

}  // namespace cloister
