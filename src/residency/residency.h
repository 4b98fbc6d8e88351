#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "model/model.h"
#include "vault/vault.h"

namespace cloister {

struct ResidencySettings {
  /// Bytes that all models together may take, with those being loaded and Engine::shared_bytes.
  std::uint64_t budget_bytes = 4ULL << 30;
  /// 1 to 16; as many again for principals of whom nothing is being loaded.
  unsigned loads_at_once = 2;
  std::size_t waiters_max = 256;        ///< callers that wait for a model at the same time
  std::size_t loads_per_principal_max = 32;  ///< models that one principal waits for first
  std::chrono::milliseconds measure_every{50};  ///< of what is in memory
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

/// What becomes of a version that nobody uses.
enum class Keep {
  cached,  ///< it goes when memory is wanted
  pinned,  ///< it stays
  never,   ///< it goes at once
};

/// Who waits for a model.
struct Waiter {
  std::string principal;  ///< empty: nobody in particular, without a share
  /// Waiting ends once it is cancelled; the load goes on where others wait for it too.
  const RunControl* control = nullptr;
  std::optional<Keep> keep{};  ///< as by Residency::keep; nothing: as it is
};

/// What was done since the start.
struct ResidencyCounts {
  std::uint64_t loads = 0;  ///< that succeeded: the cold starts
  std::uint64_t failed_loads = 0;
  std::uint64_t evictions = 0;  ///< of idle models, to make room
  std::chrono::nanoseconds load_time{};  ///< of the loads that succeeded, together
};

/// Memory that is counted beside models, for work that was not foreseen in full: what the work
/// takes past it counts too. Given back when this goes.
class MemoryHold {
 public:
  virtual ~MemoryHold() = default;
  /// `model`, which stands on `beside` bytes more, is measured with all others from now on, and
  /// ended where what it takes past this hold has no room. It must be removed before it goes.
  virtual void add(LoadedModel& model, std::uint64_t beside) = 0;
  /// Waits for a measurement under way.
  virtual void remove(LoadedModel& model) = 0;
  /// Whether the models were ended because they took more than all models together may.
  virtual bool exceeded_all() const = 0;
};

/// Keeps one loaded model from being evicted. Copies share it; the last one gives it back.
class Lease {
 public:
  LoadedModel& model() const noexcept { return *model_; }
  /// Whether it is the form that was optimised ahead, for this runtime and processor.
  bool optimised() const noexcept { return optimised_; }

 private:
  friend class Residency;
  Lease(std::shared_ptr<LoadedModel> model, bool optimised) noexcept
      : model_(std::move(model)), optimised_(optimised) {}
  std::shared_ptr<LoadedModel> model_;
  bool optimised_;
};

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
  /// deadline passed before memory was free, or where the principal waits for too many models;
  /// `unavailable` once cancelled; `deadline`.
  Result<Lease> acquire(const VersionRef& ref, SteadyTime deadline, const Waiter& waiter = {});

  /// From now on, until `unload`; what is pinned stays so until then. Loads nothing.
  void keep(const VersionRef& ref, Keep keep);

  /// Counts `bytes`, or the whole budget where that is less, for work that takes memory beside
  /// models: idle ones make room. Waits at most until `deadline`. Fails: `busy` past it;
  /// `unavailable` while this is being destroyed. Destroy it after every MemoryHold is gone.
  Result<std::unique_ptr<MemoryHold>> set_aside(std::uint64_t bytes, SteadyTime deadline);

  /// Forgets the model, what `keep` said and its failures; running requests finish on it, later
  /// ones load anew. Fails: `not_found` where it was not in memory.
  Status unload(const VersionRef& ref);

  /// Whether a lease would be had without waiting. Cheap.
  bool is_resident(const VersionRef& ref) const;
  /// What is in memory, in order of reference.
  std::vector<ResidentModel> resident() const;
  ResidencyCounts counts() const;
  /// Bytes counted now, without Engine::shared_bytes; with them at most the budget.
  std::uint64_t resident_bytes() const;

 private:
  class Rooms;
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace cloister
