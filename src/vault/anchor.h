#pragma once

#include <cstdint>

#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

enum class AnchorKind { none, tpm, etcd };

/// "none", "tpm", "etcd": as it stands in the evidence, `/v2` and the configuration.
constexpr const char* name_of(AnchorKind kind) noexcept {
  switch (kind) {
    case AnchorKind::none: break;
    case AnchorKind::tpm: return "tpm";
    case AnchorKind::etcd: return "etcd";
  }
  return "none";
}

/// What an anchor adds to the catalogue's key. Rewriting it makes every older catalogue useless.
struct AnchorSecret {
  std::uint64_t generation = 0;  ///< rises by one with each rewriting
  SecretBytes bytes;             ///< 32 bytes, or empty for an anchor without a secret
};

/// State outside the host's reach that the catalogue's epoch is held against. Used by one thread
/// at a time.
class Anchor {
 public:
  virtual ~Anchor() = default;
  virtual AnchorKind kind() const noexcept = 0;
  /// Comes first. `key`: 32 bytes that only this store derives, to authorise access with;
  /// `create` makes the anchor's state for a store that is being made, with `secret` in it.
  /// Fails: `corrupt` when the state is missing, was replaced, or (`create`) exists; `io`.
  virtual Status bind(const SecretBytes& key, bool create, const AnchorSecret& secret) {
    static_cast<void>(key), static_cast<void>(create), static_cast<void>(secret);
    return Done{};
  }
  /// The newest secret that was written. Fails: `io`, `corrupt`.
  virtual Result<AnchorSecret> secret() { return AnchorSecret{}; }
  /// Replaces the secret, at once and for good. Fails: `io`.
  virtual Status replace_secret(const AnchorSecret& next) {
    static_cast<void>(next);
    return Done{};
  }
  /// Whether a catalogue of this epoch may be the newest one. Fails: `corrupt` when it is older
  /// than what the anchor knows; `io` when the anchor does not answer.
  virtual Status check(std::uint64_t epoch) = 0;
  /// Called once the catalogue of `epoch` is durable; older ones are refused from then on.
  virtual Status advance(std::uint64_t epoch) = 0;
};

/// No anchor: accepts every epoch. Declared in the evidence and in `/v2`.
class NoAnchor final : public Anchor {
 public:
  AnchorKind kind() const noexcept override { return AnchorKind::none; }
  Status check(std::uint64_t) override { return Done{}; }
  Status advance(std::uint64_t) override { return Done{}; }
};

}  // namespace cloister
