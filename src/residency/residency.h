#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "model/model.h"
#include "vault/vault.h"

namespace cloister {

struct ResidencySettings {
  /// Bytes that all models together may take, those being loaded included.
  std::uint64_t budget_bytes = 4ULL << 30;
  unsigned loads_at_once = 2;           ///< loader threads; 1 to 16
  std::size_t waiters_max = 256;        ///< callers that wait for a model at the same time
  std::chrono::milliseconds retry_first{500};  ///< pause after a load failed; doubles each time
  std::chrono::milliseconds retry_longest{60'000};
};

/// One model in memory.
struct ResidentModel {
  VersionRef ref;
  std::uint64_t bytes = 0;  ///< counted against the budget: measured where the engine can
  std::size_t leases = 0;   ///< requests that use it now
  bool pinned = false;
};

/// Keeps one loaded model from being evicted. Copies share it; the last one gives it back.
class Lease {
 public:
  LoadedModel& model() const noexcept { return *model_; }

 private:
  friend class Residency;
  explicit Lease(std::shared_ptr<LoadedModel> model) noexcept : model_(std::move(model)) {}
  std::shared_ptr<LoadedModel> model_;
};

enum class Pin { no, yes };

/// Which models are in memory. A model is loaded once however many ask, by threads of this object,
/// so that nobody who stops waiting ends a load that others wait for; the least recently used idle
/// ones make room. Safe from several threads. Destroy it after every Lease is gone.
class Residency {
 public:
  /// `engine`, `vault` and `clock` must outlive it.
  Residency(Engine& engine, const Vault& vault, const Clock& clock, ResidencySettings settings);
  ~Residency();
  Residency(const Residency&) = delete;
  Residency& operator=(const Residency&) = delete;

  /// The model, loaded first if it is not. Waits at most until `deadline`.
  /// Fails: `not_found`; `corrupt` and `io` from the vault; `internal` and `unavailable` from the
  /// engine, and the same again without a new try until the pause of the settings is over;
  /// `unavailable` where it can never fit the budget; `busy` past waiters_max, or where the
  /// deadline passed before memory was free; `deadline`.
  Result<Lease> acquire(const VersionRef& ref, SteadyTime deadline);

  /// Loads now, and with `Pin::yes` keeps it until `unload`. Fails as `acquire` does.
  Status preload(const VersionRef& ref, Pin pin, SteadyTime deadline);

  /// Forgets the model, its pin and its failures; running requests finish on it, later ones load
  /// anew. Fails: `not_found` where it was not in memory.
  Status unload(const VersionRef& ref);

  /// What is in memory, in order of reference.
  std::vector<ResidentModel> resident() const;
  /// Bytes counted now, at most the budget.
  std::uint64_t resident_bytes() const;

 private:
  class Rooms;
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace cloister
