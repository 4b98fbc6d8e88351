#pragma once

#include <memory>

struct IMB_MGR;

namespace cloister {

struct FreeIpsecLibrary {
  void operator()(IMB_MGR* library) const noexcept;
};
/// The library's table of functions and the queues of its jobs. Jobs are for one thread at a time;
/// AES-GCM keeps no state in it, so that threads share one for that.
using IpsecLibrary = std::unique_ptr<IMB_MGR, FreeIpsecLibrary>;

/// Null on a CPU without AVX-512, VAES and VPCLMULQDQ: there the library is no faster than OpenSSL.
IpsecLibrary open_ipsec_library() noexcept;

}  // namespace cloister
