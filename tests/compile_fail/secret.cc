// What the types of secret/secret_bytes.h must not allow.
#include "secret/secret_bytes.h"

#include <iostream>
#include <string>

namespace cloister {

struct SecretForTest {
  static Bytes of(const SecretBytes& secret) { return secret.reveal(RevealToken()); }
};

bool use(SecretBytes secret, SecretBytes other) {
  SecretBytes moved(std::move(secret));
#ifdef CASE_copy
  SecretBytes copy(moved);
#endif
  moved = std::move(other);
#ifdef CASE_copy_assignment
  moved = other;
#endif
#ifdef CASE_comparison
  if (moved == other) return false;
#endif
#ifdef CASE_printing
  std::cerr << moved;
#endif
#ifdef CASE_reveal_without_token
  if (moved.reveal(RevealToken()).empty()) return false;
#endif
#ifdef CASE_text
  const std::string text(moved);
#endif
  return SecretForTest::of(moved).empty();
}

}  // namespace cloister
