#include "residency/rooms.h"

#include <algorithm>
#include <utility>

#include "base/caught.h"

namespace cloister {
namespace {

constexpr unsigned kLoadersMax = 16;
// What a session takes beside its weights before anything was measured.
constexpr std::uint64_t kSessionBytes = 16ULL << 20;

}  // namespace

Residency::Rooms::Held::~Held() {
  model.reset();
  opened = OpenedModel{};
  const MutexLock lock(owner.mutex_);
  owner.counted_bytes_ -= bytes;
  owner.work_.notify_all();
}

Residency::Rooms::Rooms(Engine& engine, const Vault& vault, const Clock& clock,
                        ResidencySettings settings)
    : engine_(engine), vault_(vault), clock_(clock), settings_(settings) {
  const unsigned loaders = std::clamp(settings.loads_at_once, 1U, kLoadersMax);
  for (unsigned i = 0; i < loaders; ++i) loaders_.emplace_back([this] { load_loop(); });
}

Residency::Rooms::~Rooms() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  loaders_.clear();
  HeldList held;
  {
    const MutexLock lock(mutex_);
    for (auto& [ref, room] : rooms_) held.push_back(std::move(room->held));
    rooms_.clear();
  }
}

Result<Lease> Residency::Rooms::acquire(const VersionRef& ref, SteadyTime deadline, Pin pin) {
  {
    const MutexLock lock(mutex_);
    const auto found = rooms_.find(ref);
    if (found != rooms_.end() && found->second->stage == Stage::ready) {
      found->second->pinned |= pin == Pin::yes;
      return lease(*found->second);
    }
  }
  // Only versions that exist get a room, so that asking for others costs no memory.
  if (!vault_.find(ref)) return Error{Code::not_found, "residency.version"};
  std::shared_ptr<Room> room;  // held here as unload may take it out of the map; freed unlocked
  const MutexLock lock(mutex_);
  std::shared_ptr<Room>& place = rooms_[ref];
  if (!place) {
    place = std::make_shared<Room>(ref);
    queue_.push_back(place);
  } else if (place->stage == Stage::failed) {
    if (clock_.steady() < place->retry_at) return *place->failure;
    place->stage = Stage::queued;
    queue_.push_back(place);
  }
  room = place;
  return wait_for(*room, deadline, pin);
}

Result<Lease> Residency::Rooms::wait_for(Room& room, SteadyTime deadline, Pin pin) {
  if (waiters_ >= settings_.waiters_max) return Error{Code::busy, "residency.waiters"};
  ++waiters_;
  ++room.waiters;
  work_.notify_all();
  bool in_time = true;
  while (in_time && (room.stage == Stage::queued || room.stage == Stage::loading)) {
    in_time = changed_.wait_until(mutex_, deadline);
  }
  --room.waiters;
  --waiters_;
  if (room.stage == Stage::ready) {
    room.pinned |= pin == Pin::yes;
    return lease(room);
  }
  if (room.stage == Stage::failed) return *room.failure;
  return room.stage == Stage::queued ? Error{Code::busy, "residency.memory"}
                                     : Error{Code::deadline, "residency.load"};
}

Lease Residency::Rooms::lease(Room& room) {
  std::shared_ptr<Held> held = room.held;
  ++held->leases;
  held->last_used = ++uses_;
  LoadedModel* const model = held->model.get();
  return Lease(std::shared_ptr<LoadedModel>(
      model, [this, held = std::move(held)](LoadedModel*) { give_back(*held); }));
}

void Residency::Rooms::give_back(Held& held) {
  const MutexLock lock(mutex_);
  --held.leases;
  held.last_used = ++uses_;
  // Runs make a model grow; what it takes now is what counts.
  recount(held);
  if (counted_bytes_ > settings_.budget_bytes || !queue_.empty()) work_.notify_all();
}

void Residency::Rooms::recount(Held& held) {
  const std::uint64_t bytes = held.opened.weights.size() + held.opened.bundle.graph.size() +
                              held.model->overhead_bytes();
  counted_bytes_ = counted_bytes_ - held.bytes + bytes;
  held.bytes = bytes;
}

Status Residency::Rooms::unload(const VersionRef& ref) {
  std::shared_ptr<Room> room;
  std::shared_ptr<Held> held;
  {
    const MutexLock lock(mutex_);
    const auto found = rooms_.find(ref);
    measured_bytes_.erase(ref);
    if (found == rooms_.end()) return Error{Code::not_found, "residency.unload"};
    room = std::move(found->second);
    rooms_.erase(found);
    // Those who wait for it already still get it: they hold the room.
    if (room->waiters == 0) held = std::move(room->held);
    if (room->stage == Stage::failed) return Error{Code::not_found, "residency.unload"};
  }
  return Done{};
}

std::vector<ResidentModel> Residency::Rooms::resident() const {
  const MutexLock lock(mutex_);
  std::vector<ResidentModel> models;
  for (const auto& [ref, room] : rooms_) {
    if (room->stage != Stage::ready) continue;
    models.push_back({ref, room->held->bytes, room->held->leases, room->pinned});
  }
  return models;
}

std::uint64_t Residency::Rooms::resident_bytes() const {
  const MutexLock lock(mutex_);
  return counted_bytes_;
}

std::uint64_t Residency::Rooms::expected_bytes(const VersionRef& ref) const {
  const auto measured = measured_bytes_.find(ref);
  if (measured != measured_bytes_.end()) return measured->second;
  const std::optional<VersionRecord> record = vault_.find(ref);
  if (!record) return 0;  // erased meanwhile: opening it fails
  return std::max(record->stored_bytes, record->cost.weights_bytes) + kSessionBytes;
}

bool Residency::Rooms::make_room(std::uint64_t bytes, HeldList& evicted) {
  std::vector<std::shared_ptr<Room>> idle;
  std::uint64_t idle_bytes = 0;
  for (const auto& [ref, room] : rooms_) {
    if (room->stage != Stage::ready || room->pinned || room->waiters > 0) continue;
    if (room->held->leases > 0) continue;
    idle.push_back(room);
    idle_bytes += room->held->bytes;
  }
  if (counted_bytes_ + bytes <= settings_.budget_bytes) return true;
  const std::uint64_t excess = counted_bytes_ + bytes - settings_.budget_bytes;
  if (excess > idle_bytes) return false;  // evicting would not help
  std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) {
    return a->held->last_used < b->held->last_used;
  });
  std::uint64_t freed = 0;
  for (const std::shared_ptr<Room>& room : idle) {
    if (freed >= excess) break;
    freed += room->held->bytes;
    // What it took in use is what it will take again.
    measured_bytes_[room->ref] = room->held->bytes;
    evicted.push_back(std::move(room->held));
    rooms_.erase(room->ref);
  }
  return false;  // once they are really gone
}

std::shared_ptr<Residency::Rooms::Room> Residency::Rooms::next_to_load(HeldList& evicted) {
  for (auto place = queue_.begin(); place != queue_.end();) {
    const std::shared_ptr<Room> room = *place;
    if (room->waiters == 0) {  // everybody stopped waiting before it began
      place = queue_.erase(place);
      const auto found = rooms_.find(room->ref);
      if (found != rooms_.end() && found->second == room) rooms_.erase(found);
      continue;
    }
    const std::uint64_t bytes = expected_bytes(room->ref);
    if (bytes > settings_.budget_bytes) {
      place = queue_.erase(place);
      fail(*room, Error{Code::unavailable, "residency.budget",
                        Detail("the model needs " + std::to_string(bytes) +
                               " bytes of memory, the server has " +
                               std::to_string(settings_.budget_bytes) + " for models")});
      continue;
    }
    if (make_room(bytes, evicted)) {
      queue_.erase(place);
      counted_bytes_ += bytes;
      room->stage = Stage::loading;
      return room;
    }
    if (!evicted.empty()) return nullptr;
    ++place;  // one that fits may pass one that does not
  }
  return nullptr;
}

void Residency::Rooms::load_loop() {
  for (;;) {
    HeldList evicted;
    std::shared_ptr<Room> room;
    std::uint64_t reserved = 0;
    {
      const MutexLock lock(mutex_);
      const std::uint64_t before = counted_bytes_;
      // First what is over the budget now, as models grew; then what is wanted.
      if (!stopping_ && make_room(0, evicted)) room = next_to_load(evicted);
      reserved = counted_bytes_ - before;
      if (!room && evicted.empty()) {
        if (stopping_) return;
        work_.wait(mutex_);
      }
    }
    evicted.clear();  // not under the lock
    if (room) load(*room, reserved);
  }
}

Status Residency::Rooms::fill(Held& held, const VersionRef& ref) const {
  return caught("residency.fill", [&]() -> Status { return open_and_load(held, ref); });
}

Status Residency::Rooms::open_and_load(Held& held, const VersionRef& ref) const {
  CLOISTER_ASSIGN(held.opened, vault_.open_version(ref));
  CLOISTER_ASSIGN(held.model,
                  engine_.load({.bundle = &held.opened.bundle,
                                .weights = held.opened.weights.bytes(),
                                .weights_file = held.opened.weights.file(),
                                .version = ref}));
  return Done{};
}

void Residency::Rooms::load(Room& room, std::uint64_t reserved) {
  auto held = std::make_shared<Held>(*this);
  held->bytes = reserved;
  Status filled = fill(*held, room.ref);
  HeldList evicted;
  if (!filled.ok()) {
    held.reset();  // gives its bytes back first: a waiter may try again at once
    const MutexLock lock(mutex_);
    fail(room, filled.error());
    return;
  }
  {
    const MutexLock lock(mutex_);
    recount(*held);
    held->last_used = ++uses_;
    room.held = std::move(held);
    room.failures = 0;
    room.stage = Stage::ready;
    (void)make_room(0, evicted);  // it may be larger than was expected
    changed_.notify_all();
    work_.notify_all();
    const auto found = rooms_.find(room.ref);
    const bool wanted = room.waiters > 0 || (found != rooms_.end() && found->second.get() == &room);
    if (!wanted) evicted.push_back(std::move(room.held));
  }
}

void Residency::Rooms::fail(Room& room, Error error) {
  const unsigned doublings = std::min(room.failures, 16U);
  const auto pause = std::min(settings_.retry_first * (1U << doublings), settings_.retry_longest);
  ++room.failures;
  room.stage = Stage::failed;
  room.retry_at = clock_.steady() + pause;
  room.failure = std::move(error);
  changed_.notify_all();
}

}  // namespace cloister
