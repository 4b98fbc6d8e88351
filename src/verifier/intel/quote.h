#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "evidence/platform.h"

namespace cloister {

/// The body of an SGX report, 384 bytes. Views point into the quote.
/// Source: Intel SGX ECDSA QuoteLibReference DCAP API, A.4, table 5.
struct SgxReport {
  Bytes whole;
  Bytes miscselect;  ///< 4 bytes
  Bytes attributes;  ///< 16
  Bytes mrenclave, mrsigner;
  std::uint16_t isvprodid = 0, isvsvn = 0;
  Bytes report_data;
  /// ATTRIBUTES.DEBUG.
  bool debug() const noexcept { return (attributes[0] & std::byte{2}) != std::byte{0}; }
};

/// The body of a TD report, 584 bytes (1.0) or 648 (1.5).
/// Source: Intel TDX DCAP Quoting Library API, A.3.2 and A.3.3.
struct TdReport {
  Bytes tee_tcb_svn;  ///< 16 bytes
  Bytes mrseam, mrsignerseam, seamattributes, tdattributes, xfam;
  Bytes mrtd, mrconfigid, mrowner, mrownerconfig;
  std::array<Bytes, 4> rtmr;
  Bytes report_data;
  std::optional<Bytes> tee_tcb_svn_2, mrservicetd;  ///< 1.5 alone
  /// Any bit of the group TUD in TDATTRIBUTES: the debug bit and those reserved beside it.
  bool debug() const noexcept { return tdattributes[0] != std::byte{0}; }
  bool attribute(unsigned bit) const noexcept {
    return (tdattributes[bit / 8] >> (bit % 8) & std::byte{1}) != std::byte{0};
  }
};

/// How a quote says who certifies its QE.
enum class QuoteCertification : std::uint16_t { pck_chain = 5 };

/// A DCAP quote of version 3, 4 or 5 with an ECDSA P-256 attestation key, taken apart and not yet
/// believed. Views point into the quote.
struct Quote {
  std::uint16_t version = 0;
  EvidenceKind kind = EvidenceKind::sgx;
  Bytes signed_bytes;  ///< header and body, in version 5 with the body's type and size
  std::optional<SgxReport> enclave;  ///< exactly one of these two
  std::optional<TdReport> td;
  Bytes signature;        ///< over signed_bytes, r || s
  Bytes attestation_key;  ///< x || y
  SgxReport qe_report;
  Bytes qe_signature;
  Bytes qe_authentication;
  std::uint16_t certification = 0;
  Bytes certification_bytes;
};

/// Takes a quote apart. Every length must fit exactly; bytes after the authentication data are
/// allowed and not looked at. Fails: `corrupt`; `unsupported` for another version, key type, TEE
/// type, QE vendor, body type or certification.
Result<Quote> read_quote(Bytes bytes);

}  // namespace cloister
