#pragma once

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "crypto/aead.h"
#include "crypto/sha256.h"

namespace cloister {

/// SHA-256 of the many blocks of one piece of memory, which a CPU with wide registers hashes side
/// by side. For one thread at a time. Implemented by crypto/openssl and crypto/ipsec.
class BlockHasher {
 public:
  virtual ~BlockHasher() = default;
  /// The digests of `input`'s blocks of `block` bytes, at least 1, in turn; the last block may be
  /// shorter. Nothing of the input stays behind.
  virtual std::vector<Sha256Digest> hash(Bytes input, std::size_t block) = 0;
};

/// One block after the other.
std::unique_ptr<BlockHasher> make_block_hasher_openssl();
/// Sixteen blocks side by side; null on a CPU without AVX-512 and VAES.
std::unique_ptr<BlockHasher> make_block_hasher_ipsec();
/// The library that `choice` names, OpenSSL where the CPU lacks what the other needs.
std::unique_ptr<BlockHasher> make_block_hasher(AeadChoice choice);

}  // namespace cloister
