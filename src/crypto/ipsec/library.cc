#include "crypto/ipsec/library.h"

#include <intel-ipsec-mb.h>

#include <cstdint>

namespace cloister {
namespace {

constexpr std::uint64_t kFeaturesNeeded =
    IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

}  // namespace

void FreeIpsecLibrary::operator()(IMB_MGR* library) const noexcept { free_mb_mgr(library); }

IpsecLibrary open_ipsec_library() noexcept {
  IpsecLibrary library(alloc_mb_mgr(0));
  if (library == nullptr) return nullptr;
  if ((library->features & kFeaturesNeeded) != kFeaturesNeeded) return nullptr;
  init_mb_mgr_avx512(library.get());
  if (imb_get_errno(library.get()) != 0) return nullptr;
  return library;
}

}  // namespace cloister
