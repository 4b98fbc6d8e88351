#include "residency/residency.h"

#include "residency/rooms.h"

namespace cloister {

Residency::Residency(Engine& engine, const Vault& vault, const Clock& clock,
                     ResidencySettings settings)
    : rooms_(std::make_unique<Rooms>(engine, vault, clock, settings)) {}

Residency::~Residency() = default;

Result<Lease> Residency::acquire(const VersionRef& ref, SteadyTime deadline) {
  return rooms_->acquire(ref, deadline, Pin::no);
}

Status Residency::preload(const VersionRef& ref, Pin pin, SteadyTime deadline) {
  CLOISTER_TRY(rooms_->acquire(ref, deadline, pin));
  return Done{};
}

Status Residency::unload(const VersionRef& ref) { return rooms_->unload(ref); }

std::vector<ResidentModel> Residency::resident() const { return rooms_->resident(); }

std::uint64_t Residency::resident_bytes() const { return rooms_->resident_bytes(); }

}  // namespace cloister
