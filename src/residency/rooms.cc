#include "residency/rooms.h"

#include <algorithm>
#include <utility>

#include "base/caught.h"

namespace cloister {
namespace {

constexpr unsigned kLoadersMax = 16;
// What a session takes beside its weights before anything was measured.
constexpr std::uint64_t kSessionBytes = 16ULL << 20;
// Weights that are waited for, as they arrive while the model is made: damage is found before the
// first run then.
constexpr std::uint64_t kSoonThere = 2ULL << 20;
constexpr std::chrono::milliseconds kLookEvery{50};  // for a caller who left while waiting

}  // namespace

Residency::Rooms::Held::~Held() {
  model.reset();
  opened.filling.reset();  // before the memory that it fills
  opened = OpenedModel{};
  const MutexLock lock(owner.mutex_);
  owner.counted_bytes_ -= bytes;
  if (leaving) owner.leaving_bytes_ -= bytes;
  owner.work_.notify_all();
}

Residency::Rooms::Rooms(Engine& engine, const Vault& vault, const Clock& clock,
                        ResidencySettings settings)
    : engine_(engine), vault_(vault), clock_(clock), settings_(settings) {
  {
    const MutexLock lock(mutex_);
    base_bytes_ = engine.shared_bytes();
  }
  const unsigned loaders = 2 * std::clamp(settings.loads_at_once, 1U, kLoadersMax);
  for (unsigned i = 0; i < loaders; ++i) loaders_.emplace_back([this] { load_loop(); });
  watch_ = std::jthread([this] { watch_loop(); });
}

Residency::Rooms::~Rooms() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
    tick_.notify_all();
  }
  loaders_.clear();
  watch_ = std::jthread();
  HeldList held;
  {
    const MutexLock lock(mutex_);
    for (auto& [ref, room] : rooms_) held.push_back(std::move(room->held));
    rooms_.clear();
  }
}

Keep Residency::Rooms::keep_of(const VersionRef& ref) const {
  const auto found = keeps_.find(ref);
  return found == keeps_.end() ? Keep::cached : found->second;
}

std::uint64_t Residency::Rooms::limit() const {
  return settings_.budget_bytes - std::min(base_bytes_, settings_.budget_bytes);
}

void Residency::Rooms::set_keep(const VersionRef& ref, Keep keep) {
  if (keep_of(ref) == Keep::pinned) return;
  if (keep == Keep::cached) {
    keeps_.erase(ref);
  } else {
    keeps_[ref] = keep;
  }
}

void Residency::Rooms::keep(const VersionRef& ref, Keep keep) {
  const MutexLock lock(mutex_);
  set_keep(ref, keep);
  work_.notify_all();
}

Result<Lease> Residency::Rooms::acquire(const VersionRef& ref, SteadyTime deadline,
                                        const Waiter& waiter) {
  {
    const MutexLock lock(mutex_);
    const auto found = rooms_.find(ref);
    if (found != rooms_.end() && found->second->stage == Stage::ready) {
      if (waiter.keep) set_keep(ref, *waiter.keep);
      return lease(*found->second);
    }
  }
  // Only versions that exist get a room, so that asking for others costs no memory.
  if (!vault_.find(ref)) return Error{Code::not_found, "residency.version"};
  std::shared_ptr<Room> room;  // held here as unload may take it out of the map; freed unlocked
  const MutexLock lock(mutex_);
  const auto his = [&](const auto& each) {
    return each->first == waiter.principal && each->waiters > 0;
  };
  if (!waiter.principal.empty() && !rooms_.contains(ref) &&
      static_cast<std::size_t>(std::ranges::count_if(queue_, his)) >=
          settings_.loads_per_principal_max) {
    return Error{Code::busy, "residency.share"};
  }
  if (waiter.keep) set_keep(ref, *waiter.keep);
  std::shared_ptr<Room>& place = rooms_[ref];
  if (!place) {
    place = std::make_shared<Room>(ref, waiter.principal);
    queue_.push_back(place);
  } else if (place->stage == Stage::failed) {
    if (clock_.steady() < place->retry_at) return *place->failure;
    place->stage = Stage::queued;
    queue_.push_back(place);
  }
  room = place;
  return wait_for(*room, deadline, waiter);
}

Result<Lease> Residency::Rooms::wait_for(Room& room, SteadyTime deadline, const Waiter& waiter) {
  if (waiters_ >= settings_.waiters_max) return Error{Code::busy, "residency.waiters"};
  ++waiters_;
  ++room.waiters;
  work_.notify_all();
  bool in_time = true;
  bool left = false;
  while (in_time && !left && (room.stage == Stage::queued || room.stage == Stage::loading)) {
    SteadyTime until = deadline;
    if (waiter.control != nullptr) {
      until = std::min(until, std::chrono::steady_clock::now() + kLookEvery);
    }
    in_time = changed_.wait_until(mutex_, until) || until != deadline;
    left = waiter.control != nullptr && waiter.control->cancelled();
  }
  --room.waiters;
  --waiters_;
  if (room.stage == Stage::ready) return lease(room);
  if (room.stage == Stage::failed) return *room.failure;
  if (left) return Error{Code::unavailable, "residency.cancelled"};
  return room.stage == Stage::queued ? Error{Code::busy, "residency.memory"}
                                     : Error{Code::deadline, "residency.load"};
}

Lease Residency::Rooms::lease(Room& room) {
  std::shared_ptr<Held> held = room.held;
  ++held->leases;
  held->last_used = ++uses_;
  LoadedModel* const model = held->model.get();
  const bool optimised = held->opened.optimised;
  return Lease(std::shared_ptr<LoadedModel>(
                   model, [this, held = std::move(held)](LoadedModel*) { give_back(held); }),
               optimised);
}

void Residency::Rooms::give_back(const std::shared_ptr<Held>& held) {
  const MutexLock lock(mutex_);
  --held->leases;
  held->last_used = ++uses_;
  // Runs make a model grow; what it takes now is what counts.
  recount(*held);
  if (held->to_pack && counted_bytes_ + held->bytes <= limit()) {
    held->to_pack = false;
    to_pack_.push_back(held);
    work_.notify_all();
  }
  if (counted_bytes_ > limit() || !queue_.empty() || !keeps_.empty()) work_.notify_all();
}

void Residency::Rooms::recount(Held& held) {
  const std::uint64_t bytes = held.opened.weights.size() + held.opened.bundle.graph.size() +
                              held.model->overhead_bytes();
  counted_bytes_ = counted_bytes_ - held.bytes + bytes;
  if (held.leaving) leaving_bytes_ = leaving_bytes_ - held.bytes + bytes;
  held.bytes = bytes;
}

Status Residency::Rooms::unload(const VersionRef& ref) {
  std::shared_ptr<Room> room;
  std::shared_ptr<Held> held;
  {
    const MutexLock lock(mutex_);
    const auto found = rooms_.find(ref);
    taken_.erase(ref);
    keeps_.erase(ref);
    if (found == rooms_.end()) return Error{Code::not_found, "residency.unload"};
    room = std::move(found->second);
    rooms_.erase(found);
    // Those who wait for it already still get it: they hold the room.
    if (room->waiters == 0) held = std::move(room->held);
    if (room->stage == Stage::failed) return Error{Code::not_found, "residency.unload"};
  }
  return Done{};
}

std::uint64_t Residency::Rooms::expected_bytes(const VersionRef& ref) const {
  if (const auto found = taken_.find(ref); found != taken_.end()) {
    // What it took in use is what it will take again; one large request must not lock it out.
    return std::max(found->second.loaded, std::min(found->second.used, limit()));
  }
  const std::optional<VersionRecord> record = vault_.find(ref);
  if (!record) return 0;  // erased meanwhile: opening it fails
  // Packing copies weights, so does optimising at load: what it takes then is known afterwards.
  return 2 * record->cost.weights_bytes + kSessionBytes;
}

/// Others who look for room need not evict what this one frees.
void Residency::Rooms::evict(std::shared_ptr<Held> held, HeldList& evicted) {
  held->leaving = true;
  leaving_bytes_ += held->bytes;
  evicted.push_back(std::move(held));
}

bool Residency::Rooms::make_room(std::uint64_t bytes, HeldList& evicted) {
  std::vector<std::shared_ptr<Room>> idle;
  std::uint64_t idle_bytes = 0;
  for (const auto& [ref, room] : rooms_) {
    if (room->stage != Stage::ready || room->waiters > 0 || room->held->leases > 0) continue;
    if (keep_of(ref) == Keep::pinned) continue;
    idle.push_back(room);
    idle_bytes += room->held->bytes;
  }
  if (counted_bytes_ + bytes <= limit()) return true;
  const std::uint64_t staying = counted_bytes_ - leaving_bytes_;
  if (staying + bytes <= limit()) return false;  // enough is on its way out
  const std::uint64_t excess = staying + bytes - limit();
  if (excess > idle_bytes) return false;  // evicting would not help
  std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) {
    return a->held->last_used < b->held->last_used;
  });
  std::uint64_t freed = 0;
  for (const std::shared_ptr<Room>& room : idle) {
    if (freed >= excess) break;
    freed += room->held->bytes;
    taken_[room->ref] = {room->held->loaded_bytes, room->held->bytes};
    evict(std::move(room->held), evicted);
    rooms_.erase(room->ref);
    ++counts_.evictions;
  }
  return false;  // once they are really gone
}

void Residency::Rooms::tidy_queue() {
  std::erase_if(queue_, [this](const std::shared_ptr<Room>& room) REQUIRES(mutex_) {
    if (room->waiters == 0) {  // everybody stopped waiting before it began
      const auto found = rooms_.find(room->ref);
      if (found != rooms_.end() && found->second == room) rooms_.erase(found);
      return true;
    }
    const std::uint64_t bytes = expected_bytes(room->ref);
    if (bytes <= limit()) return false;
    fail(*room, Error{Code::unavailable, "residency.budget",
                      Detail("the model needs " + std::to_string(bytes) +
                             " bytes of memory, the server has " + std::to_string(limit()) +
                             " for models")});
    return true;
  });
}

std::shared_ptr<Residency::Rooms::Room> Residency::Rooms::next_to_load(HeldList& evicted) {
  tidy_queue();
  // In order of arrival, but those first of whose principal the fewest are being loaded.
  std::vector<std::pair<std::size_t, std::shared_ptr<Room>>> order;
  for (const std::shared_ptr<Room>& room : queue_) {
    const auto under_way = loading_.find(room->first);
    const std::size_t count = under_way == loading_.end() ? 0 : under_way->second;
    const bool fresh = count == 0 && !room->first.empty();
    if (loads_ < settings_.loads_at_once * (fresh ? 2U : 1U)) order.emplace_back(count, room);
  }
  std::ranges::stable_sort(order, {}, [](const auto& each) { return each.first; });
  for (const auto& [count, room] : order) {
    const std::uint64_t bytes = expected_bytes(room->ref);
    if (make_room(bytes, evicted)) {
      std::erase(queue_, room);
      counted_bytes_ += bytes;
      room->stage = Stage::loading;
      ++loading_[room->first];
      ++loads_;
      return room;
    }
    if (!evicted.empty()) return nullptr;
    // One that fits may pass one that does not.
  }
  return nullptr;
}

void Residency::Rooms::drop_unkept(HeldList& evicted) {
  if (keeps_.empty()) return;
  for (auto place = rooms_.begin(); place != rooms_.end();) {
    Room& room = *place->second;
    const bool idle = room.stage == Stage::ready && room.waiters == 0 && room.held->leases == 0;
    if (!idle || keep_of(room.ref) != Keep::never) {
      ++place;
      continue;
    }
    taken_[room.ref] = {room.held->loaded_bytes, room.held->bytes};
    evict(std::move(room.held), evicted);
    place = rooms_.erase(place);
  }
}

void Residency::Rooms::load_loop() {
  for (;;) {
    HeldList evicted;
    std::shared_ptr<Room> room;
    std::shared_ptr<Held> to_pack;
    std::uint64_t reserved = 0;
    {
      const MutexLock lock(mutex_);
      const std::uint64_t before = counted_bytes_;
      // First what is over the budget now, as models grew; then what is wanted.
      if (!stopping_) drop_unkept(evicted);
      if (!stopping_ && make_room(0, evicted)) room = next_to_load(evicted);
      reserved = counted_bytes_ - before;
      if (!room && evicted.empty()) {
        if (stopping_) return;
        to_pack = next_to_pack();
        if (!to_pack) work_.wait(mutex_);
      }
    }
    evicted.clear();  // not under the lock
    if (room) load(*room, reserved);
    if (to_pack) pack(*to_pack);
  }
}

std::shared_ptr<Residency::Rooms::Held> Residency::Rooms::next_to_pack() {
  while (!to_pack_.empty()) {
    std::shared_ptr<Held> held = to_pack_.front().lock();
    to_pack_.pop_front();
    if (!held) continue;
    // The model is there twice while it is packed, and its weights are from then on.
    if (counted_bytes_ + held->bytes <= limit()) {
      held->packing = held->bytes;
      counted_bytes_ += held->packing;
      return held;
    }
    held->to_pack = true;  // at a later use, when there is room
  }
  return nullptr;
}

void Residency::Rooms::pack(Held& held) {
  // A model that cannot be packed goes on as it is.
  const Status packed = caught("residency.pack", [&] { return held.model->pack(); });
  static_cast<void>(packed.ok());
  const MutexLock lock(mutex_);
  counted_bytes_ -= held.packing;
  held.expected_bytes += held.packing;
  recount(held);
  work_.notify_all();
}

Status Residency::Rooms::fill(Held& held, const VersionRef& ref, bool optimised) const {
  Status filled = fill_once(held, ref, optimised);
  if (filled.ok() || !held.opened.optimised || filled.error().code != Code::corrupt) return filled;
  // Of a damaged form the version itself is whole, as far as is known.
  held.model.reset();
  held.opened.filling.reset();
  held.opened = OpenedModel{};
  return fill_once(held, ref, false);
}

Status Residency::Rooms::fill_once(Held& held, const VersionRef& ref, bool optimised) const {
  return caught("residency.fill", [&]() -> Status {
    Status loaded = open_and_load(held, ref, optimised);
    if (!held.opened.filling) return loaded;
    if (loaded.ok() && held.opened.weights.size() > kSoonThere) return loaded;
    // Weights that are damaged are the better reason.
    CLOISTER_TRY(held.opened.filling->arrival().wait());
    return loaded;
  });
}

Status Residency::Rooms::open_and_load(Held& held, const VersionRef& ref, bool optimised) const {
  Opening opening;
  if (optimised) opening.fits = engine_.optimises_for();
  opening.early = engine_.waits_for_weights();
  CLOISTER_ASSIGN(held.opened, vault_.open_version(ref, opening));
  const OpenedModel& opened = held.opened;
  held.to_pack = opened.optimised && opened.worth_packing && opening.early;
  EngineModel model;
  if (opened.filling) model.arrival = &opened.filling->arrival();
  model.bundle = &opened.bundle;
  model.weights = opened.weights.bytes();
  model.weights_file = opened.weights.file();
  model.form = opened.optimised ? GraphForm::optimised : GraphForm::canonical;
  model.prepack = opened.worth_packing && !held.to_pack;
  model.version = ref;
  CLOISTER_ASSIGN(held.model, engine_.load(model));
  return Done{};
}

void Residency::Rooms::load(Room& room, std::uint64_t reserved) {
  auto held = std::make_shared<Held>(*this);
  held->bytes = reserved;
  held->expected_bytes = reserved;
  bool optimised = true;
  {
    const MutexLock lock(mutex_);
    optimised = !room.form_damaged;
  }
  const SteadyTime began = clock_.steady();
  Status filled = fill(*held, room.ref, optimised);
  const bool form = held->opened.optimised;
  HeldList evicted;
  if (!filled.ok()) held.reset();  // gives its bytes back first: a waiter may try again at once
  {
    const MutexLock lock(mutex_);
    --loads_;
    if (--loading_[room.first] == 0) loading_.erase(room.first);
    if (!filled.ok()) {
      fail(room, filled.error(), form);
      work_.notify_all();
      return;
    }
    ++counts_.loads;
    counts_.load_time += clock_.steady() - began;
    recount(*held);
    held->loaded_bytes = held->bytes;
    held->last_used = ++uses_;
    if (keep_of(room.ref) == Keep::never) held->to_pack = false;  // not worth it for one use
    room.held = held;
    room.failures = 0;
    room.stage = Stage::ready;
    (void)make_room(0, evicted);  // it may be larger than was expected
    changed_.notify_all();
    work_.notify_all();
    tick_.notify_all();
    const auto found = rooms_.find(room.ref);
    const bool wanted = room.waiters > 0 || (found != rooms_.end() && found->second.get() == &room);
    if (!wanted) evicted.push_back(std::move(room.held));
  }
  await_weights(room, held);
}

void Residency::Rooms::await_weights(Room& room, const std::shared_ptr<Held>& held) {
  if (!held->opened.filling) return;
  const Status arrived = held->opened.filling->arrival().wait();
  if (arrived.ok()) return;
  // Whoever runs it already gets the same error from the model.
  std::shared_ptr<Held> dropped;
  const MutexLock lock(mutex_);
  if (room.held != held) return;
  dropped = std::move(room.held);
  fail(room, arrived.error(), held->opened.optimised);
}

void Residency::Rooms::fail(Room& room, Error error, bool optimised_form) {
  const unsigned doublings = std::min(room.failures, 16U);
  const auto pause = std::min(settings_.retry_first * (1U << doublings), settings_.retry_longest);
  ++room.failures;
  ++counts_.failed_loads;
  room.stage = Stage::failed;
  room.retry_at = clock_.steady() + pause;
  // Of a damaged form the version itself is whole, as far as is known: it is tried at once.
  const bool try_canonical =
      optimised_form && error.code == Code::corrupt && !std::exchange(room.form_damaged, true);
  if (try_canonical) room.retry_at = clock_.steady();
  room.failure = std::move(error);
  changed_.notify_all();
}

}  // namespace cloister
