#include "crypto/library.h"

#include <openssl/crypto.h>

namespace cloister {

Status start_crypto_library() {
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return Error{Code::internal, "crypto.start"};
  }
  return Done{};
}

}  // namespace cloister
