#include "crypto/library.h"

#include <openssl/crypto.h>

#include "secret/wiped_heap.h"

namespace cloister {

Status start_crypto_library() {
  if (CRYPTO_set_mem_functions(allocate_wiped, resize_wiped, free_wiped) != 1 ||
      OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return Error{Code::internal, "crypto.start"};
  }
  return Done{};
}

}  // namespace cloister
