#include <algorithm>

#include "crypto/aead.h"
#include "crypto/block_hasher.h"

namespace cloister {
namespace {

constexpr std::size_t kTrialBytes = 1U << 17;  // about 0.1 ms in all
constexpr int kTrials = 2;

/// What a library made of a chunk of zeros, and the shortest of a few times that it took.
struct Trial {
  std::chrono::nanoseconds time = std::chrono::nanoseconds::max();
  ByteVector sealed = ByteVector(kTrialBytes);
  AeadTag tag{};
};

Trial try_out(const AeadMaker& aeads, const Clock& clock) {
  Trial trial;
  const ByteVector zeros(kTrialBytes);
  const auto aead = aeads.make(SecretBytes(kAeadKeyBytes));
  if (!aead.ok()) return trial;
  for (int i = 0; i < kTrials; ++i) {
    const SteadyTime start = clock.steady();
    const auto tag = aead.value()->seal(AeadNonce{}, {}, zeros, trial.sealed);
    if (!tag.ok()) break;
    trial.time = std::min<std::chrono::nanoseconds>(trial.time, clock.steady() - start);
    trial.tag = tag.value();
  }
  return trial;
}

}  // namespace

std::unique_ptr<AeadMaker> make_aeads_quicker_than_openssl(const Clock& clock) {
  auto ipsec = make_aeads_ipsec();
  if (ipsec == nullptr) return nullptr;
  const auto openssl = make_aeads_openssl();
  // A library that disagrees is not the one that this was written for, however quick it is.
  const Trial reference = try_out(*openssl, clock);
  const Trial wide = try_out(*ipsec, clock);
  const bool agree = reference.tag == wide.tag && reference.sealed == wide.sealed;
  return agree && wide.time < reference.time ? std::move(ipsec) : nullptr;
}

Result<std::unique_ptr<AeadMaker>> make_aeads(AeadChoice choice, const Clock& clock) {
  if (choice == AeadChoice::openssl) return make_aeads_openssl();
  auto other = choice == AeadChoice::ipsec ? make_aeads_ipsec()
                                           : make_aeads_quicker_than_openssl(clock);
  if (other != nullptr) return other;
  if (choice == AeadChoice::ipsec) return Error{Code::unavailable, "crypto.aead.ipsec"};
  return make_aeads_openssl();
}

std::unique_ptr<BlockHasher> make_block_hasher(AeadChoice choice) {
  auto ipsec = choice == AeadChoice::openssl ? nullptr : make_block_hasher_ipsec();
  return ipsec == nullptr ? make_block_hasher_openssl() : std::move(ipsec);
}

}  // namespace cloister
