#include "crypto/ipsec/processor.h"

#include <intel-ipsec-mb.h>

#include <cstdint>

namespace cloister {
namespace {

constexpr std::uint64_t kFeaturesNeeded =
    IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

}  // namespace

bool processor_suits_ipsec() noexcept {
  // The library asks the processor alone; the compiler's answer holds the kernel's part too.
  return __builtin_cpu_supports("avx512f") != 0 &&
         (imb_get_feature_flags() & kFeaturesNeeded) == kFeaturesNeeded;
}

}  // namespace cloister
