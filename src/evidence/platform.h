#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// What kind of hardware (or none) vouches for a server.
enum class EvidenceKind { simulated, sgx, tdx, snp, tpm, azure_snp, azure_tdx };

/// "simulated", "sgx", "tdx", "snp", "tpm", "azure-snp", "azure-tdx": as it stands in
/// `GET /v2/attestation`, in `/v2`, in policies and in verdicts.
const char* name_of(EvidenceKind kind) noexcept;

/// The kind of that name; nothing for any other text.
std::optional<EvidenceKind> evidence_kind_of(std::string_view name) noexcept;

inline constexpr std::size_t kReportDataBytes = 64;
inline constexpr std::size_t kRootSecretBytes = 32;
inline constexpr std::size_t kEvidenceBytesMax = 64 * 1024;

/// What the platform signs into its evidence: SHA-256 of the claims, then 32 zero bytes.
using ReportData = std::array<std::byte, kReportDataBytes>;

/// Evidence as the hardware made it, and what it brought along to check it.
struct PlatformEvidence {
  ByteVector evidence;      ///< a quote or a report, at most kEvidenceBytesMax
  ByteVector endorsements;  ///< SNP: the GUID certificate table; empty where there is none
};

/// The one interface to the trusted hardware below the server, with its two duties. Safe from
/// several threads at once. Implemented by evidence/simulated and the other doors of this folder.
class Platform {
 public:
  virtual ~Platform() = default;
  virtual EvidenceKind kind() const noexcept = 0;
  /// Evidence over 64 bytes of the caller's. May take seconds. Fails: `io` when the hardware or
  /// its driver does; `too_large` when it returns more than kEvidenceBytesMax.
  virtual Result<PlatformEvidence> evidence_for(const ReportData& report_data) = 0;
  /// 32 bytes that only this enclave's identity on this platform can have again; the vault derives
  /// its keys from it. Fails: `io`, `unavailable` where the platform has no sealing key.
  virtual Result<SecretBytes> root_secret() = 0;
};

}  // namespace cloister
