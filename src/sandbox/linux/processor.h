#pragma once

#include <string>

namespace cloister {

/// The instructions that this processor has, as far as a runtime chooses its code by them: the
/// same text on two machines means that a graph optimised on one fits the other. At most 64 bytes.
/// Source: Intel SDM volume 2A, CPUID, leaves 1 and 7.
std::string processor_features();

}  // namespace cloister
