#pragma once

#include <cstdint>

#include "base/result.h"

namespace cloister {

enum class AnchorKind { none, tpm, etcd };

/// "none", "tpm", "etcd": as it stands in the evidence, `/v2` and the configuration.
const char* name_of(AnchorKind kind) noexcept;

/// State outside the host's reach that the catalogue's epoch is held against.
class Anchor {
 public:
  virtual ~Anchor() = default;
  virtual AnchorKind kind() const noexcept = 0;
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
