#include "crypto/library.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include "secret/wiped_heap.h"

namespace cloister {
namespace {

// A program of its own: what it asks for can be had only before anything else uses the library.
TEST(StartCryptoLibrary, HasTheLibraryWipeWhatItFrees) {
  ASSERT_TRUE(start_crypto_library().ok());
  CRYPTO_malloc_fn allocate = nullptr;
  CRYPTO_realloc_fn resize = nullptr;
  CRYPTO_free_fn release = nullptr;
  CRYPTO_get_mem_functions(&allocate, &resize, &release);
  EXPECT_EQ(allocate, &allocate_wiped);
  EXPECT_EQ(resize, &resize_wiped);
  EXPECT_EQ(release, &free_wiped);
}

}  // namespace
}  // namespace cloister
