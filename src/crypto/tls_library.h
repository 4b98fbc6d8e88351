#pragma once

#include <memory>

#include "base/result.h"
#include "crypto/aead.h"

struct ossl_lib_ctx_st;  // OpenSSL's OSSL_LIB_CTX

namespace cloister {

/// OpenSSL's algorithms for TLS sessions, apart from those that the rest of the process uses: with
/// AES-256-GCM for records by an AeadMaker's ciphers, where there is one, and all else OpenSSL's
/// own. Immutable; safe from any thread, but every thread that used its context must have ended, or
/// be the one that destroys it: OpenSSL leaves something of the context with each until then.
class TlsLibrary {
 public:
  virtual ~TlsLibrary() = default;
  /// For SSL_CTX_new_ex, and for the keys of its contexts. Must outlive them.
  virtual ossl_lib_ctx_st* context() const noexcept = 0;
  /// The property query that goes with it.
  virtual const char* properties() const noexcept = 0;
};

/// `aeads` null: OpenSSL's own cipher. Fails: `internal`.
Result<std::shared_ptr<const TlsLibrary>> make_tls_library(std::shared_ptr<const AeadMaker> aeads);

}  // namespace cloister
