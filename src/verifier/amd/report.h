#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "verifier/amd/keys.h"
#include "verifier/policy.h"

namespace cloister {

inline constexpr std::size_t kSnpReportBytes = 1184;

/// Which key signed a report.
enum class SnpSigner : std::uint32_t { vcek = 0, vlek = 1, none = 7 };

/// An SEV-SNP attestation report, taken apart and not yet believed. Views point into it.
/// Source: AMD SEV-SNP Firmware ABI Specification (56860), table "ATTESTATION_REPORT".
struct SnpReport {
  std::uint32_t version = 0, guest_svn = 0, vmpl = 0, signature_algorithm = 0;
  std::uint64_t policy = 0, platform_info = 0;
  std::uint32_t flags = 0;
  Bytes family_id, image_id, report_data, measurement, host_data;
  Bytes id_key_digest, author_key_digest, report_id, chip_id;
  Bytes current_tcb, reported_tcb, committed_tcb, launch_tcb;      ///< 8 bytes each
  std::uint8_t cpuid_family = 0, cpuid_model = 0, cpuid_stepping = 0;  ///< version 3 and later
  std::uint64_t launch_mitigation = 0, current_mitigation = 0;         ///< version 5
  Bytes signed_bytes;
  Bytes r, s;  ///< 72 bytes each, little-endian
  Bytes reserved;  ///< after the signature; zero

  SnpSigner signer() const noexcept { return static_cast<SnpSigner>(flags >> 2 & 7); }
  bool debug() const noexcept { return (policy >> 19 & 1) != 0; }
  bool migration_agent() const noexcept { return (policy >> 18 & 1) != 0; }
};

/// Exactly kSnpReportBytes. Fails: `corrupt`.
Result<SnpReport> read_snp_report(Bytes bytes);

/// The product by the report's CPUID; nothing where it has none (version 2) or is unknown.
std::optional<AmdProduct> product_of(const SnpReport& report) noexcept;

/// "milan", "genoa", "turin".
const char* name_of(AmdProduct product) noexcept;

/// The components of a TCB version, whose places depend on the product.
SnpTcb tcb_of(Bytes version, AmdProduct product) noexcept;

/// Whether every component of `tcb` is at least that of `minimum`.
bool reaches(const SnpTcb& tcb, const SnpTcb& minimum) noexcept;

/// r || s of 48 bytes each, big-endian; nothing when a number does not fit, or when what follows
/// the signature is not zero.
std::optional<ByteVector> raw_signature(const SnpReport& report);

}  // namespace cloister
