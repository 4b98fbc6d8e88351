// What is measured while it is in memory, and what goes as it grows; memory for others.
#include <algorithm>

#include "residency/rooms.h"

namespace cloister {
namespace {

constexpr std::chrono::milliseconds kTryEvery{50};

}  // namespace

Residency::Rooms::Guest::~Guest() {
  const MutexLock lock(owner.mutex_);
  while (owner.measuring_) owner.measured_.wait(owner.mutex_);
  std::erase(owner.guests_, this);
  owner.counted_bytes_ -= counted;
  owner.work_.notify_all();
}

void Residency::Rooms::Guest::add(LoadedModel& model, std::uint64_t beside_it) {
  const MutexLock lock(owner.mutex_);
  while (owner.measuring_) owner.measured_.wait(owner.mutex_);
  models.push_back(&model);
  beside += beside_it;
}

void Residency::Rooms::Guest::remove(LoadedModel& model) {
  const MutexLock lock(owner.mutex_);
  while (owner.measuring_) owner.measured_.wait(owner.mutex_);
  std::erase(models, &model);
}

bool Residency::Rooms::Guest::exceeded_all() const {
  const MutexLock lock(owner.mutex_);
  return too_much;
}

void Residency::Rooms::recount(Guest& guest) {
  std::uint64_t bytes = guest.beside;
  for (const LoadedModel* const model : guest.models) bytes += model->overhead_bytes();
  bytes = std::max(bytes, guest.held);
  counted_bytes_ = counted_bytes_ - guest.counted + bytes;
  guest.counted = bytes;
}

Result<std::unique_ptr<MemoryHold>> Residency::Rooms::set_aside(std::uint64_t bytes,
                                                                SteadyTime deadline) {
  for (;;) {
    HeldList evicted;  // not under the lock
    const MutexLock lock(mutex_);
    if (stopping_) return Error{Code::unavailable, "residency.stopping"};
    const std::uint64_t held = std::min(bytes, limit());
    if (make_room(held, evicted)) {
      guests_.reserve(guests_.size() + 1);  // a guest that goes again would take the lock
      auto guest = std::make_unique<Guest>(*this, held);
      guests_.push_back(guest.get());
      counted_bytes_ += held;
      tick_.notify_all();
      return std::unique_ptr<MemoryHold>(std::move(guest));
    }
    if (!evicted.empty()) continue;
    if (clock_.steady() >= deadline) return Error{Code::busy, "residency.memory"};
    work_.wait_until(mutex_, std::min(deadline, std::chrono::steady_clock::now() + kTryEvery));
  }
}

void Residency::Rooms::measure(const HeldList& held, const std::vector<Guest*>& guests) {
  for (const std::shared_ptr<Held>& each : held) each->model->measure();
  for (const Guest* const guest : guests) {
    for (LoadedModel* const model : guest->models) model->measure();
  }
  const std::uint64_t base = engine_.shared_bytes();
  const MutexLock lock(mutex_);
  base_bytes_ = base;
  for (const std::shared_ptr<Held>& each : held) recount(*each);
  for (Guest* const guest : guests) recount(*guest);
}

std::vector<LoadedModel*> Residency::Rooms::shed(const HeldList& held, HeldList& evicted) {
  if (make_room(0, evicted) || !evicted.empty()) return {};
  // Everything that runs is in use. First goes what nobody is served by, and then the one that grew
  // most past what was set aside.
  for (Guest* const guest : guests_) {
    if (guest->counted <= guest->held || guest->models.empty()) continue;
    guest->too_much = guest->counted > limit();
    return guest->models;
  }
  const Held* worst = nullptr;
  const auto growth = [](const Held& each) {
    return each.bytes - std::min(each.bytes, each.expected_bytes);
  };
  for (const std::shared_ptr<Held>& each : held) {
    if (growth(*each) > (worst != nullptr ? growth(*worst) : 0)) worst = each.get();
  }
  if (worst == nullptr) return {};
  return {worst->model.get()};
}

void Residency::Rooms::watch_loop() {
  for (;;) {
    HeldList held;
    std::vector<Guest*> guests;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && rooms_.empty() && guests_.empty()) tick_.wait(mutex_);
      const auto until = std::chrono::steady_clock::now() + settings_.measure_every;
      while (!stopping_ && tick_.wait_until(mutex_, until)) {
      }
      if (stopping_) return;
      for (const auto& [ref, room] : rooms_) {
        if (room->stage == Stage::ready) held.push_back(room->held);
      }
      guests = guests_;
      measuring_ = true;
    }
    measure(held, guests);
    HeldList evicted;
    std::vector<LoadedModel*> ended;
    {
      const MutexLock lock(mutex_);
      ended = shed(held, evicted);
      if (!queue_.empty()) work_.notify_all();
    }
    for (LoadedModel* const model : ended) model->end();
    const MutexLock lock(mutex_);
    measuring_ = false;
    measured_.notify_all();
  }
}

}  // namespace cloister
