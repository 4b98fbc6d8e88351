#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "encoding/json.h"
#include "verifier/verdict.h"

namespace cloister {

/// One signed JSON document of Intel's: the exact bytes that the signature covers, and the
/// signature. Views and values point into the text, which must outlive them.
struct SignedDocument {
  JsonValue root;
  const JsonValue* body = nullptr;  ///< the member that is signed
  Bytes signed_bytes;               ///< its bytes as received
  ByteVector signature;             ///< r || s
};

/// Splits `text` into the member named `member` and `signature`. Repeated keys are refused.
/// Fails: `corrupt`. Source: Intel PCS API version 4, "Get TCB Info", "Get TD QE Identity".
Result<std::unique_ptr<SignedDocument>> read_signed_document(std::string_view text,
                                                             std::string_view member);

/// A level of an enclave's identity (the QE's, or a TDX module's): the status from `isvsvn` on.
struct EnclaveLevel {
  std::uint64_t isvsvn = 0;
  TcbStatus status{};
  std::string date;
  std::vector<std::string> advisories;
};

/// What an Intel enclave has to look like.
struct EnclaveIdentity {
  std::string id;
  std::uint64_t version = 0;
  UtcSeconds issued{}, next_update{};
  std::uint64_t evaluation_number = 0;
  ByteVector miscselect, miscselect_mask;  ///< 4 bytes, as they lie in the report
  ByteVector attributes, attributes_mask;  ///< 16 bytes; a TDX module's: 8
  ByteVector mrsigner;
  std::uint64_t isvprodid = 0;
  std::vector<EnclaveLevel> levels;  ///< highest first
};

/// A level of the platform's TCB.
struct TcbLevel {
  std::array<std::uint8_t, 16> sgx{};
  std::array<std::uint8_t, 16> tdx{};
  std::uint64_t pcesvn = 0;
  TcbStatus status{};
  std::string date;
  std::vector<std::string> advisories;
};

/// TCB info of one platform type, version 3.
struct TcbInfo {
  std::string id;  ///< "SGX" or "TDX"
  UtcSeconds issued{}, next_update{};
  std::uint64_t evaluation_number = 0;
  ByteVector fmspc, pceid;
  EnclaveIdentity module;                    ///< TDX: the module without a version of its own
  std::vector<EnclaveIdentity> module_identities;  ///< TDX: "TDX_01" and so on
  std::vector<TcbLevel> levels;              ///< highest first
};

/// Fail: `corrupt` when a member is missing, of another type or length, or a status is unknown.
Result<TcbInfo> read_tcb_info(const JsonValue& body);
Result<EnclaveIdentity> read_qe_identity(const JsonValue& body);

}  // namespace cloister
