#pragma once

#include <deque>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "residency/residency.h"

namespace cloister {

/// What a Residency is made of: a room for every model that is wanted, being loaded, in memory or
/// failed lately, the queue of those to load, and the threads that load.
class Residency::Rooms {
 public:
  Rooms(Engine& engine, const Vault& vault, const Clock& clock, ResidencySettings settings);
  ~Rooms();

  Result<Lease> acquire(const VersionRef& ref, SteadyTime deadline, Pin pin) EXCLUDES(mutex_);
  Status unload(const VersionRef& ref) EXCLUDES(mutex_);
  std::vector<ResidentModel> resident() const EXCLUDES(mutex_);
  std::uint64_t resident_bytes() const EXCLUDES(mutex_);

 private:
  /// A model in memory and what it stands on. Never destroyed under mutex_: freeing is slow.
  struct Held {
    explicit Held(Rooms& rooms) : owner(rooms) {}
    ~Held();
    Rooms& owner;
    OpenedModel opened;
    std::unique_ptr<LoadedModel> model;  // reads `opened`, so it goes first
    std::uint64_t bytes = 0;             // counted in counted_bytes_
    std::size_t leases = 0;              // guarded by owner.mutex_, as the rest below
    std::uint64_t last_used = 0;
  };
  enum class Stage { queued, loading, ready, failed };
  /// Guarded by mutex_.
  struct Room {
    explicit Room(VersionRef version) : ref(std::move(version)) {}
    const VersionRef ref;
    Stage stage = Stage::queued;
    std::shared_ptr<Held> held;
    bool pinned = false;
    std::size_t waiters = 0;
    unsigned failures = 0;
    std::optional<Error> failure;
    SteadyTime retry_at{};
  };
  using HeldList = std::vector<std::shared_ptr<Held>>;

  Result<Lease> wait_for(Room& room, SteadyTime deadline, Pin pin) REQUIRES(mutex_);
  Lease lease(Room& room) REQUIRES(mutex_);
  void give_back(Held& held) EXCLUDES(mutex_);
  void recount(Held& held) REQUIRES(mutex_);

  void load_loop() EXCLUDES(mutex_);
  std::shared_ptr<Room> next_to_load(HeldList& evicted) REQUIRES(mutex_);
  bool make_room(std::uint64_t bytes, HeldList& evicted) REQUIRES(mutex_);
  void load(Room& room, std::uint64_t reserved) EXCLUDES(mutex_);
  Status fill(Held& held, const VersionRef& ref) const;
  Status open_and_load(Held& held, const VersionRef& ref) const;
  void fail(Room& room, Error error) REQUIRES(mutex_);
  std::uint64_t expected_bytes(const VersionRef& ref) const REQUIRES(mutex_);

  Engine& engine_;
  const Vault& vault_;
  const Clock& clock_;
  const ResidencySettings settings_;

  mutable Mutex mutex_;
  Signal work_;     // loaders wait: something queued, memory free, or stopping
  Signal changed_;  // callers wait: a room became ready or failed
  std::map<VersionRef, std::shared_ptr<Room>> rooms_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Room>> queue_ GUARDED_BY(mutex_);
  std::map<VersionRef, std::uint64_t> measured_bytes_ GUARDED_BY(mutex_);
  std::uint64_t counted_bytes_ GUARDED_BY(mutex_) = 0;  // in memory, or set aside for a load
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
  std::size_t waiters_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> loaders_;  // last: they stop before what they use goes
};

}  // namespace cloister
