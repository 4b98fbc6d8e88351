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

  Result<Lease> acquire(const VersionRef& ref, SteadyTime deadline, const Waiter& waiter)
      EXCLUDES(mutex_);
  void keep(const VersionRef& ref, Keep keep) EXCLUDES(mutex_);
  Result<std::unique_ptr<MemoryHold>> set_aside(std::uint64_t bytes, SteadyTime deadline)
      EXCLUDES(mutex_);
  Status unload(const VersionRef& ref) EXCLUDES(mutex_);
  bool is_resident(const VersionRef& ref) const EXCLUDES(mutex_);
  std::vector<ResidentModel> resident() const EXCLUDES(mutex_);
  ResidencyCounts counts() const EXCLUDES(mutex_);
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
    std::uint64_t expected_bytes = 0;    // set aside when it was loaded
    std::uint64_t loaded_bytes = 0;      // taken before it ran
    bool to_pack = false;                // will run faster with packed weights
    std::uint64_t packing = 0;           // counted beside `bytes` while it is packed
    bool leaving = false;                // evicted: its memory is free soon
    std::size_t leases = 0;              // guarded by owner.mutex_, as the rest below
    std::uint64_t last_used = 0;
  };
  enum class Stage { queued, loading, ready, failed };
  /// Guarded by mutex_.
  struct Room {
    Room(VersionRef version, std::string principal)
        : ref(std::move(version)), first(std::move(principal)) {}
    const VersionRef ref;
    const std::string first;  // the principal who asked first: the load counts as his
    Stage stage = Stage::queued;
    std::shared_ptr<Held> held;
    std::size_t waiters = 0;
    bool form_damaged = false;  // its optimised form: the canonical one is loaded from then on
    unsigned failures = 0;
    std::optional<Error> failure;
    SteadyTime retry_at{};
  };
  using HeldList = std::vector<std::shared_ptr<Held>>;
  /// What a version took when it was last in memory.
  struct Taken {
    std::uint64_t loaded = 0;  // before it ran
    std::uint64_t used = 0;    // when it went
  };
  /// What set_aside gives out; the fields are guarded by owner.mutex_.
  struct Guest final : MemoryHold {
    Guest(Rooms& rooms, std::uint64_t bytes) : owner(rooms), held(bytes), counted(bytes) {}
    ~Guest() override;
    void add(LoadedModel& model, std::uint64_t beside_it) override;
    void remove(LoadedModel& model) override;
    bool exceeded_all() const override;
    Rooms& owner;
    const std::uint64_t held;
    std::uint64_t counted;     // in counted_bytes_: what is held, or more where more is taken
    std::uint64_t beside = 0;  // what the models stand on
    std::vector<LoadedModel*> models;
    bool too_much = false;
  };

  Result<Lease> wait_for(Room& room, SteadyTime deadline, const Waiter& waiter) REQUIRES(mutex_);
  void set_keep(const VersionRef& ref, Keep keep) REQUIRES(mutex_);
  Keep keep_of(const VersionRef& ref) const REQUIRES(mutex_);
  /// What models may take now.
  std::uint64_t limit() const REQUIRES(mutex_);
  Lease lease(Room& room) REQUIRES(mutex_);
  void give_back(const std::shared_ptr<Held>& held) EXCLUDES(mutex_);
  void recount(Held& held) REQUIRES(mutex_);
  void recount(Guest& guest) REQUIRES(mutex_);
  void evict(std::shared_ptr<Held> held, HeldList& evicted) REQUIRES(mutex_);

  void load_loop() EXCLUDES(mutex_);
  /// Drops from the queue what nobody waits for any more and what can never fit.
  void tidy_queue() REQUIRES(mutex_);
  std::shared_ptr<Held> next_to_pack() REQUIRES(mutex_);
  void pack(Held& held) EXCLUDES(mutex_);
  std::shared_ptr<Room> next_to_load(HeldList& evicted) REQUIRES(mutex_);
  void drop_unkept(HeldList& evicted) REQUIRES(mutex_);
  void watch_loop() EXCLUDES(mutex_);
  void measure(const HeldList& held, const std::vector<Guest*>& guests) EXCLUDES(mutex_);
  /// Makes room after models grew; those that must be ended for it, if evicting is not enough.
  std::vector<LoadedModel*> shed(const HeldList& held, HeldList& evicted) REQUIRES(mutex_);
  bool make_room(std::uint64_t bytes, HeldList& evicted) REQUIRES(mutex_);
  void load(Room& room, std::uint64_t reserved) EXCLUDES(mutex_);
  Status fill(Held& held, const VersionRef& ref, bool optimised) const;
  Status fill_once(Held& held, const VersionRef& ref, bool optimised) const;
  Status open_and_load(Held& held, const VersionRef& ref, bool optimised) const;
  void await_weights(Room& room, const std::shared_ptr<Held>& held) EXCLUDES(mutex_);
  /// `optimised_form`: what failed was the version's optimised form.
  void fail(Room& room, Error error, bool optimised_form = false) REQUIRES(mutex_);
  std::uint64_t expected_bytes(const VersionRef& ref) const REQUIRES(mutex_);

  Engine& engine_;
  const Vault& vault_;
  const Clock& clock_;
  const ResidencySettings settings_;

  mutable Mutex mutex_;
  Signal work_;     // loaders wait: something queued, memory free, or stopping
  Signal changed_;  // callers wait: a room became ready or failed
  Signal tick_;     // the watch waits: something is in memory, or stopping
  Signal measured_;  // guests wait: the watch looks at them no more
  std::map<VersionRef, std::shared_ptr<Room>> rooms_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Room>> queue_ GUARDED_BY(mutex_);
  std::deque<std::weak_ptr<Held>> to_pack_ GUARDED_BY(mutex_);
  std::map<VersionRef, Taken> taken_ GUARDED_BY(mutex_);
  std::map<VersionRef, Keep> keeps_ GUARDED_BY(mutex_);
  std::vector<Guest*> guests_ GUARDED_BY(mutex_);
  bool measuring_ GUARDED_BY(mutex_) = false;  // the watch looks at guests: they stay as they are
  std::map<std::string, std::size_t> loading_ GUARDED_BY(mutex_);  // loads under way, by principal
  std::size_t loads_ GUARDED_BY(mutex_) = 0;
  std::uint64_t counted_bytes_ GUARDED_BY(mutex_) = 0;  // in memory, or set aside for a load
  std::uint64_t leaving_bytes_ GUARDED_BY(mutex_) = 0;  // of these, evicted and not yet gone
  std::uint64_t base_bytes_ GUARDED_BY(mutex_) = 0;     // Engine::shared_bytes, lately
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
  ResidencyCounts counts_ GUARDED_BY(mutex_);
  std::size_t waiters_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> loaders_;  // last: they stop before what they use goes
  std::jthread watch_;
};

}  // namespace cloister
