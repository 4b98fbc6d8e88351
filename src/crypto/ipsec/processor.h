#pragma once

namespace cloister {

/// Whether the processor and the kernel offer AVX-512, VAES and VPCLMULQDQ: without them the
/// library is no faster than OpenSSL.
bool processor_suits_ipsec() noexcept;

}  // namespace cloister
