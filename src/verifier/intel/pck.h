#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/x509.h"

namespace cloister {

inline constexpr Oid kPckExtension("1.2.840.113741.1.13.1");

/// What Intel says of one platform in its PCK certificate.
/// Source: Intel SGX PCK Certificate and CRL Profile, 1.3.5.
struct PckExtension {
  Bytes ppid;                                ///< 16 bytes
  std::array<std::uint8_t, 16> components{};  ///< SVN of each TCB component
  std::uint16_t pcesvn = 0;
  Bytes pceid;  ///< 2 bytes
  Bytes fmspc;  ///< 6 bytes
};

/// Views point into `certificate`. Fails: `corrupt` when a field is missing, repeated or malformed.
Result<PckExtension> read_pck_extension(const Certificate& certificate);

}  // namespace cloister
