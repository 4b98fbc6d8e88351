#include "sandbox/linux/optimised_form.h"

#include <cpuid.h>

#include <array>
#include <cstdio>

namespace cloister {
namespace {

constexpr unsigned kBasicLeaf = 1;
constexpr unsigned kExtendedLeaf = 7;
constexpr std::uint64_t kSlack = 16ULL << 20;

std::string processor_features() {
  std::array<unsigned, 4> basic{};
  std::array<unsigned, 4> extended{};
  __get_cpuid(kBasicLeaf, &basic[0], &basic[1], &basic[2], &basic[3]);
  __get_cpuid_count(kExtendedLeaf, 0, &extended[0], &extended[1], &extended[2], &extended[3]);
  // Of leaf 1 the registers a and b hold stepping and core numbers, of leaf 7 a holds a count.
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%08x%08x%08x%08x%08x", basic[2], basic[3], extended[1],
                extended[2], extended[3]);
  return text.data();
}

}  // namespace

std::string optimised_form_fits(const std::string& runtime) {
  return runtime.empty() ? "" : runtime + " form 1 cpu " + processor_features();
}

std::uint64_t optimised_form_bytes_max(std::uint64_t model_bytes) noexcept {
  return 2 * model_bytes + kSlack;
}

}  // namespace cloister
