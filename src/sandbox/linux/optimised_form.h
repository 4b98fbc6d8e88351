#pragma once

#include <cstdint>
#include <string>

namespace cloister {

/// Engine::optimises_for where the runtime's library is called `runtime`; empty where it has no
/// name. The same text on two machines means that a graph optimised on one fits the other: beside
/// the runtime it names the processor's instructions, as far as a runtime chooses its code by them.
/// At most 88 bytes more than the name. Source: Intel SDM volume 2A, CPUID, leaves 1 and 7.
std::string optimised_form_fits(const std::string& runtime);

/// The most that an optimiser may write for a model, in bytes.
std::uint64_t optimised_form_bytes_max(std::uint64_t model_bytes) noexcept;

}  // namespace cloister
