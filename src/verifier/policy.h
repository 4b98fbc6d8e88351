#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "evidence/platform.h"
#include "verifier/verdict.h"

namespace cloister {

/// An SGX signer: MRSIGNER, product and least version together name the code.
struct SgxSigner {
  ByteVector mrsigner;  ///< 32 bytes
  std::uint16_t product = 0;
  std::uint16_t minimum_version = 0;
};

/// The least TCB of an AMD product, per component; Turin alone has `fmc`.
struct SnpTcb {
  std::uint8_t fmc = 0, boot_loader = 0, tee = 0, snp = 0, microcode = 0;
};

/// What a client accepts. The default accepts nothing: production enclaves that are up to date,
/// and of them only those that are pinned, and nothing is pinned yet. Lists name alternatives;
/// an empty list of a measurement asks nothing, except that something must pin the code.
struct Policy {
  std::set<EvidenceKind> kinds{EvidenceKind::sgx,       EvidenceKind::tdx,
                               EvidenceKind::snp,       EvidenceKind::azure_snp,
                               EvidenceKind::azure_tdx, EvidenceKind::tpm};
  /// Simulated evidence is refused without this, whatever `kinds` says.
  bool allow_simulation = false;
  bool allow_debug = false;
  /// A TPM quote that no enclave's evidence vouches for.
  bool allow_tpm_alone = false;
  /// The evidence in the extension of older Gramine releases.
  bool allow_legacy_gramine = false;

  std::vector<ByteVector> mrenclave;      ///< SGX, 32 bytes each
  std::vector<SgxSigner> sgx_signers;
  /// TDX: name ("mrtd", "rtmr0".."rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrseam",
  /// "mrservicetd") to the accepted values, 48 bytes each.
  std::map<std::string, std::vector<ByteVector>> tdx;
  bool require_sept_ve_disable = true;
  bool allow_migratable = false;
  /// SNP: name ("measurement", "host_data", "id_key_digest", "author_key_digest", "report_id",
  /// "chip_id", "family_id", "image_id") to the accepted values.
  std::map<std::string, std::vector<ByteVector>> snp;
  std::map<std::string, SnpTcb> snp_minimum_tcb;  ///< "milan", "genoa", "turin"
  std::uint32_t vmpl_max = 0;
  bool allow_vlek = true;
  bool allow_migration_agent = false;
  /// TPM: PCRs of the SHA-256 bank that a quote must at least select: by default the boot chain.
  std::set<unsigned> pcr_selection{0, 1, 2, 3, 4, 5, 6, 7};
  /// PCR number to the accepted values. The quote must select all of these too.
  std::map<unsigned, std::vector<ByteVector>> pcrs;
  /// Accepted attestation keys: names of 34 bytes, or SHA-256 of an SPKI.
  std::vector<ByteVector> ak_names;
  std::vector<ByteVector> simulated;      ///< simulated measurements, 32 bytes each

  std::vector<ByteVector> configuration;  ///< accepted digests, 32 bytes each
  std::vector<ByteVector> software;       ///< the same, of software_digest()
  std::vector<std::string> isolation, sandbox, anchor;
  /// Members of the configuration text to the JSON values that each may have, as they stand in
  /// that text. Only fresh evidence shows the text: a certificate alone is refused then.
  std::map<std::string, std::vector<std::string>> settings;

  /// Accepted statuses, and until when each is tolerated (nothing: for good).
  std::map<TcbStatus, std::optional<UtcSeconds>> tcb_statuses{{TcbStatus::up_to_date, {}}};
  /// When set, evidence with an advisory outside of this list is refused.
  std::optional<std::set<std::string>> advisories;
  std::uint32_t evaluation_number_min = 0;
  std::optional<std::chrono::days> collateral_age_max;
  /// How long a verdict may be used, where collateral and certificate would last longer.
  std::optional<std::chrono::seconds> verdict_age_max;
};

inline constexpr std::size_t kPolicyBytesMax = 256 * 1024;

/// Reads a policy file: strict JSON, unknown and repeated keys refused; a key that begins with
/// "//" is a comment and its value a string. Absent keys keep their defaults.
/// Fails: `invalid`, with a Detail that names the key; `too_large`.
Result<Policy> read_policy(std::string_view json);

/// A policy file with every key, its default and a comment: what `cloister policy new` writes.
std::string policy_template();

}  // namespace cloister
