#include "crypto/sha256_pair.h"

namespace cloister {
namespace {

/// Whether both ways agree: a library that disagrees is not the one that this was written for.
bool agree() {
  ByteVector message(300);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::byte>(i);
  const Bytes first[] = {message};
  const Bytes second[] = {Bytes(message).first(7), Bytes(message).last(100)};
  return sha256_pair_ipsec(first, second) == sha256_pair_openssl(first, second);
}

}  // namespace

Sha256Pair sha256_pair_openssl(std::span<const Bytes> first, std::span<const Bytes> second) {
  const auto digest_of = [](std::span<const Bytes> pieces) {
    Sha256Stream stream;
    for (const Bytes piece : pieces) stream.update(piece);
    return stream.finish();
  };
  return {digest_of(first), digest_of(second)};
}

Sha256Pair sha256_pair(std::span<const Bytes> first, std::span<const Bytes> second) {
  static const bool paired = can_pair_ipsec() && agree();
  return paired ? sha256_pair_ipsec(first, second) : sha256_pair_openssl(first, second);
}

}  // namespace cloister
