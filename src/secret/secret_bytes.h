#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace cloister {

/// Overwrites `bytes` with zeros in a way that no compiler removes (explicit_bzero).
void wipe(MutableBytes bytes) noexcept;
/// The same for a text that was secret.
inline void wipe(std::string& text) noexcept { wipe(std::as_writable_bytes(std::span(text))); }

/// Compares without a branch on content. Lengths are public: unequal lengths are unequal at once.
bool equal_in_constant_time(Bytes a, Bytes b) noexcept;

/// Who may look at secret bytes: every reader is named here, and its reason beside it.
class RevealToken {
  friend class SecretReader;     // crypto/openssl: keys into ciphers, HKDF and signatures
  friend class TlsCredentials;   // net, client: the TLS private key into the TLS context
  friend class StoreKeys;        // vault: keys wrapped into the sealed catalogue
  friend class TokenMint;        // access: a new token shown once, a presented one hashed
  friend class BundleReader;     // vault, engine: the opened graph segment
  friend class ClientSession;    // client: a token into the requests to a verified server
  friend struct SecretForTest;   // tests
  RevealToken() = default;
};

/// Bytes with one owner that wipe themselves. No copy, no comparison, no printing.
class SecretBytes {
 public:
  SecretBytes() = default;
  /// `size` zero bytes, to be written through `fill`.
  explicit SecretBytes(std::size_t size) : bytes_(size) {}
  explicit SecretBytes(std::vector<std::byte>&& bytes) noexcept : bytes_(std::move(bytes)) {}
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      wipe(bytes_);
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  Bytes reveal(RevealToken) const noexcept { return bytes_; }
  /// The place to write the secret to; writing needs no token, reading back does.
  MutableBytes fill(RevealToken) noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;  // sized once: growing would leave unwiped copies behind
};

}  // namespace cloister
