#pragma once

#include <cstdint>

namespace cloister {

/// What one page costs that an SGX1 enclave lacks: the exit that the fault causes, the driver, the
/// eviction of another page (EBLOCK, ETRACK, EWB), the load of this one (ELDU), and the way back.
/// Source: M. Taassori, A. Shafiee, R. Balasubramonian, "VAULT: Reducing Paging Overheads in SGX
/// with Efficient Integrity Verification Structures", ASPLOS 2018: about 40 thousand cycles for
/// each page swap. It is a figure for one page in together with one page out, so the simulator
/// charges it for every page that enters and nothing more for a page that leaves.
inline constexpr std::uint64_t kCyclesPerSwap = 40'000;

/// The clock of the machine that the paper measured on, an Intel Core i7-7700, without turbo.
inline constexpr double kClockHertz = 3.6e9;

/// Seconds for each page that enters: 11.1 microseconds.
/// Both figures were set before the simulator first ran, and nothing is fitted to the paper.
inline constexpr double kSecondsPerSwap = static_cast<double>(kCyclesPerSwap) / kClockHertz;

}  // namespace cloister
