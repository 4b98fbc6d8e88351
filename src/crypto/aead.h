#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;
using AeadNonce = std::array<std::byte, kAeadNonceBytes>;
using AeadTag = std::array<std::byte, kAeadTagBytes>;

/// AES-256-GCM under one key (NIST SP 800-38D). Safe from several threads at once. Callers owe a
/// nonce that no other `seal` under this key ever uses. Implemented by crypto/openssl and, where
/// the CPU has VAES and it measures faster, by crypto/ipsec.
class Aead {
 public:
  virtual ~Aead() = default;
  /// Encrypts `plaintext` into `ciphertext` (same size; may be the same memory); returns the tag.
  /// Fails: `internal` when the library does; `ciphertext` may not be used then.
  virtual Result<AeadTag> seal(const AeadNonce& nonce, Bytes associated, Bytes plaintext,
                               MutableBytes ciphertext) const = 0;
  /// Decrypts `ciphertext` into `plaintext` (same size; may be the same memory).
  /// Fails: `corrupt` when the tag does not hold; `plaintext` is wiped then.
  virtual Status open(const AeadNonce& nonce, Bytes associated, Bytes ciphertext,
                      const AeadTag& tag, MutableBytes plaintext) const = 0;
};

/// OpenSSL's AES-256-GCM. `key` is 32 bytes. Fails: `invalid` for another length.
Result<std::unique_ptr<Aead>> make_aead_openssl(const SecretBytes& key);

/// Makes ciphers of one kind, one for each key; whoever writes many keys holds one of these. Safe
/// from several threads at once.
class AeadMaker {
 public:
  virtual ~AeadMaker() = default;
  /// `key` is 32 bytes. Fails: `invalid` for another length.
  virtual Result<std::unique_ptr<Aead>> make(const SecretBytes& key) const = 0;
  /// "openssl", "ipsec-mb": what the benchmarks and the start's log line say.
  virtual const char* name() const noexcept = 0;
};
std::unique_ptr<AeadMaker> make_aeads_openssl();
/// intel-ipsec-mb's; null on a CPU without AVX-512, VAES and VPCLMULQDQ.
std::unique_ptr<AeadMaker> make_aeads_ipsec();
/// Those that made the same of a few chunks as OpenSSL's did, and sooner; null where none do.
std::unique_ptr<AeadMaker> make_aeads_quicker_than_openssl(const Clock& clock);

/// `fastest` seals a few chunks with each that the CPU can run, and takes the quicker one.
enum class AeadChoice { fastest, openssl, ipsec };
/// Fails: `unavailable` when `ipsec` is asked for and the CPU lacks what it needs.
Result<std::unique_ptr<AeadMaker>> make_aeads(AeadChoice choice, const Clock& clock);

/// HKDF-SHA-256 (RFC 5869) with extract and expand; `length` at most 8160 bytes.
Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, Bytes salt, Bytes info,
                                std::size_t length);
/// The same with a secret salt (the vault's store key).
Result<SecretBytes> hkdf_sha256(const SecretBytes& input_key, const SecretBytes& salt, Bytes info,
                                std::size_t length);

}  // namespace cloister
