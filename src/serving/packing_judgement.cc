#include "serving/packing_judgement.h"

#include <algorithm>
#include <cmath>

namespace cloister {
namespace {

constexpr std::size_t kRoundsMin = 5;
constexpr std::size_t kRoundsMax = 41;
constexpr std::chrono::seconds kTimeMax{20};
// Of slow models too: an upload waits for this, and memory is set aside.
constexpr std::chrono::seconds kTimeLimit{120};
// Below the first, packing does nothing that could be measured; below the second, what it saves is
// not worth the memory.
constexpr double kAnyGain = 1.005;
constexpr double kClearGain = 1.03;

/// Whether a packed model stays within what a model may take in memory: docs/design/0004.
bool is_small_beside(std::uint64_t overhead_bytes, std::uint64_t weights_bytes) {
  constexpr std::uint64_t kBeside = 40ULL << 20;
  return overhead_bytes <= weights_bytes / 100 * 35 + kBeside;
}

/// What one run costs; nothing where it fails.
std::optional<double> cost_of_run(LoadedModel& model, const std::vector<NamedTensorView>& inputs,
                                  const Clock& clock, SteadyTime latest) {
  const auto busy_before = model.processor_time();
  const SteadyTime start = clock.steady();
  RunControl control(latest);
  if (!model.run(inputs, {}, control).ok()) return std::nullopt;
  const SteadyTime end = clock.steady();
  const auto busy_after = model.processor_time();
  if (busy_before && busy_after && *busy_after > *busy_before) {
    return static_cast<double>((*busy_after - *busy_before).count());
  }
  return std::max(1.0, static_cast<double>(std::chrono::nanoseconds(end - start).count()));
}

}  // namespace

std::optional<bool> is_median_above(std::vector<double> gains, double least) {
  if (gains.size() < kRoundsMin) return std::nullopt;
  std::ranges::sort(gains);
  // As many lie on either side of a median as heads fall in so many throws of a coin: all but one
  // time in twenty it is between these two.
  const double count = static_cast<double>(gains.size());
  const auto outside = static_cast<std::size_t>(std::max(0.0, count / 2 - std::sqrt(count)));
  if (gains[outside] > least) return true;
  if (gains[gains.size() - 1 - outside] < least) return false;
  return std::nullopt;
}

std::optional<bool> is_worth_packing(const PackingPair& pair,
                                     const std::vector<NamedTensorView>& inputs,
                                     const Clock& clock) {
  const SteadyTime start = clock.steady();
  const SteadyTime latest = start + kTimeLimit;
  std::vector<double> gains;
  bool cheap = false;
  // The first round is for memory that is touched once.
  for (std::size_t round = 0; round <= kRoundsMax; ++round) {
    std::optional<double> unpacked;
    if (round % 2 == 0) unpacked = cost_of_run(pair.unpacked, inputs, clock, latest);
    const auto packed = cost_of_run(pair.packed, inputs, clock, latest);
    if (round % 2 == 1) unpacked = cost_of_run(pair.unpacked, inputs, clock, latest);
    const bool late = clock.steady() >= latest;
    if (!late && (!packed || !unpacked)) return std::nullopt;
    if (round == 0) {
      pair.packed.measure();
      cheap = is_small_beside(pair.packed.overhead_bytes(), pair.weights_bytes);
    } else if (packed && unpacked) {
      gains.push_back(*unpacked / *packed);
    }
    if (late) break;
    const auto clear = is_median_above(gains, cheap ? kAnyGain : kClearGain);
    if (clear) return *clear;
    if (gains.size() >= kRoundsMin && clock.steady() >= start + kTimeMax) break;
  }
  if (cheap || gains.empty()) return cheap;
  std::ranges::nth_element(gains, gains.begin() + static_cast<std::ptrdiff_t>(gains.size() / 2));
  return gains[gains.size() / 2] > kClearGain;
}

}  // namespace cloister
