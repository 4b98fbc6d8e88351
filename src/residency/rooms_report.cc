// What is in memory, for those who ask.
#include "residency/rooms.h"

namespace cloister {

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

std::uint64_t Residency::Rooms::resident_bytes() const {
  const MutexLock lock(mutex_);
  return counted_bytes_;
}

}  // namespace cloister
