// What is in memory, for those who ask, and memory for others.
#include "residency/rooms.h"

#include <algorithm>

namespace cloister {
namespace {

constexpr std::chrono::milliseconds kTryEvery{50};

}  // namespace

bool Residency::Rooms::is_resident(const VersionRef& ref) const {
  const MutexLock lock(mutex_);
  const auto found = rooms_.find(ref);
  return found != rooms_.end() && found->second->stage == Stage::ready;
}

std::vector<ResidentModel> Residency::Rooms::resident() const {
  const MutexLock lock(mutex_);
  std::vector<ResidentModel> models;
  for (const auto& [ref, room] : rooms_) {
    if (room->stage != Stage::ready) continue;
    models.push_back({ref, room->held->bytes, room->held->leases,
                      keep_of(ref) == Keep::pinned});
  }
  return models;
}

ResidencyCounts Residency::Rooms::counts() const {
  const MutexLock lock(mutex_);
  return counts_;
}

Result<MemoryHold> Residency::Rooms::set_aside(std::uint64_t bytes, SteadyTime deadline) {
  for (;;) {
    HeldList evicted;  // not under the lock
    const MutexLock lock(mutex_);
    if (stopping_) return Error{Code::unavailable, "residency.stopping"};
    const std::uint64_t held = std::min(bytes, limit());
    if (make_room(held, evicted)) {
      counted_bytes_ += held;
      // The address says nothing: what counts is that it goes.
      return MemoryHold(this, [this, held](const void*) {
        const MutexLock giving(mutex_);
        counted_bytes_ -= held;
        work_.notify_all();
      });
    }
    if (!evicted.empty()) continue;
    const auto until = std::min(deadline, std::chrono::steady_clock::now() + kTryEvery);
    if (!work_.wait_until(mutex_, until) && clock_.steady() >= deadline) {
      return Error{Code::busy, "residency.memory"};
    }
  }
}

std::uint64_t Residency::Rooms::resident_bytes() const {
  const MutexLock lock(mutex_);
  return counted_bytes_;
}

}  // namespace cloister
