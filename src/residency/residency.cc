#include "residency/residency.h"

#include "residency/rooms.h"

namespace cloister {

Residency::Residency(Engine& engine, const Vault& vault, const Clock& clock,
                     ResidencySettings settings)
    : rooms_(std::make_unique<Rooms>(engine, vault, clock, settings)) {}

Residency::~Residency() = default;

Result<Lease> Residency::acquire(const VersionRef& ref, SteadyTime deadline,
                                 const Waiter& waiter) {
  return rooms_->acquire(ref, deadline, waiter);
}

void Residency::keep(const VersionRef& ref, Keep keep) { rooms_->keep(ref, keep); }

Result<std::unique_ptr<MemoryHold>> Residency::set_aside(std::uint64_t bytes,
                                                         SteadyTime deadline) {
  return rooms_->set_aside(bytes, deadline);
}

Status Residency::unload(const VersionRef& ref) { return rooms_->unload(ref); }

bool Residency::is_resident(const VersionRef& ref) const { return rooms_->is_resident(ref); }

std::vector<ResidentModel> Residency::resident() const { return rooms_->resident(); }

ResidencyCounts Residency::counts() const { return rooms_->counts(); }

std::uint64_t Residency::resident_bytes() const { return rooms_->resident_bytes(); }

}  // namespace cloister
