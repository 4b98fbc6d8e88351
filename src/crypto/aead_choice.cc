#include <algorithm>

#include "crypto/aead.h"
#include "crypto/block_hasher.h"

namespace cloister {
namespace {

constexpr std::size_t kTrialBytes = 1U << 17;  // about 0.1 ms in all
constexpr int kTrials = 2;

/// The shortest of a few times that `aeads` takes to seal a chunk.
std::chrono::nanoseconds time_of(const AeadMaker& aeads, const Clock& clock, MutableBytes chunk) {
  auto shortest = std::chrono::nanoseconds::max();
  const auto aead = aeads.make(SecretBytes(kAeadKeyBytes));
  if (!aead.ok()) return shortest;
  for (int i = 0; i < kTrials; ++i) {
    const SteadyTime start = clock.steady();
    if (!aead.value()->seal(AeadNonce{}, {}, chunk, chunk).ok()) break;
    shortest = std::min<std::chrono::nanoseconds>(shortest, clock.steady() - start);
  }
  return shortest;
}

}  // namespace

Result<std::unique_ptr<AeadMaker>> make_aeads(AeadChoice choice, const Clock& clock) {
  if (choice == AeadChoice::openssl) return make_aeads_openssl();
  auto ipsec = make_aeads_ipsec();
  if (choice == AeadChoice::ipsec) {
    if (ipsec == nullptr) return Error{Code::unavailable, "crypto.aead.ipsec"};
    return ipsec;
  }
  auto openssl = make_aeads_openssl();
  if (ipsec == nullptr) return openssl;
  ByteVector chunk(kTrialBytes);
  const auto openssl_time = time_of(*openssl, clock, chunk);
  return time_of(*ipsec, clock, chunk) < openssl_time ? std::move(ipsec) : std::move(openssl);
}

std::unique_ptr<BlockHasher> make_block_hasher(AeadChoice choice) {
  auto ipsec = choice == AeadChoice::openssl ? nullptr : make_block_hasher_ipsec();
  return ipsec == nullptr ? make_block_hasher_openssl() : std::move(ipsec);
}

}  // namespace cloister
