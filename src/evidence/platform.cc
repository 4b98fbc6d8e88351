#include "evidence/platform.h"

#include <array>
#include <utility>

namespace cloister {
namespace {

constexpr std::array<std::pair<EvidenceKind, const char*>, 7> kNames{{
    {EvidenceKind::simulated, "simulated"},
    {EvidenceKind::sgx, "sgx"},
    {EvidenceKind::tdx, "tdx"},
    {EvidenceKind::snp, "snp"},
    {EvidenceKind::tpm, "tpm"},
    {EvidenceKind::azure_snp, "azure-snp"},
    {EvidenceKind::azure_tdx, "azure-tdx"},
}};

}  // namespace

const char* name_of(EvidenceKind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "";
}

std::optional<EvidenceKind> evidence_kind_of(std::string_view name) noexcept {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

}  // namespace cloister
