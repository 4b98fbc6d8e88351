#include "vault/tpm/tpm_connection.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tcti_device.h>
#include <tss2/tss2_tcti_swtpm.h>

#include <string_view>
#include <type_traits>
#include <utility>

namespace cloister {
namespace {

static_assert(std::is_same_v<ESYS_TR, std::uint32_t>);

constexpr std::string_view kSimulator = "swtpm:";
constexpr TPMA_SESSION kUse =
    TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;

TSS2_TCTI_CONTEXT* context_in(std::vector<std::max_align_t>& memory) noexcept {
  return reinterpret_cast<TSS2_TCTI_CONTEXT*>(memory.data());
}

TPM2B_PUBLIC salting_key() {
  TPM2B_PUBLIC key{};
  key.publicArea.type = TPM2_ALG_ECC;
  key.publicArea.nameAlg = TPM2_ALG_SHA256;
  key.publicArea.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                                    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH;
  auto& ecc = key.publicArea.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_AES;
  ecc.symmetric.keyBits.aes = 128;
  ecc.symmetric.mode.aes = TPM2_ALG_CFB;
  ecc.scheme.scheme = TPM2_ALG_NULL;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  return key;
}

}  // namespace

TpmConnection::TpmConnection(TpmConnection&& other) noexcept
    : transport_(std::move(other.transport_)),
      esys_(std::exchange(other.esys_, nullptr)),
      session_(std::exchange(other.session_, ESYS_TR_NONE)) {
  other.transport_.clear();
}

TpmConnection::~TpmConnection() {
  if (session_ != ESYS_TR_NONE) Esys_FlushContext(esys_, session_);
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  if (!transport_.empty()) Tss2_Tcti_Finalize(context_in(transport_));
}

Result<TpmConnection> TpmConnection::open(const std::string& device) {
  TpmConnection connection;
  connection.session_ = ESYS_TR_NONE;
  CLOISTER_TRY(connection.connect(device));
  if (Esys_Initialize(&connection.esys_, context_in(connection.transport_), nullptr) !=
      TSS2_RC_SUCCESS) {
    return Error{Code::io, "vault.tpm.initialize"};
  }
  CLOISTER_TRY(connection.start_session());
  return connection;
}

Status TpmConnection::connect(const std::string& device) {
  const bool simulator = device.starts_with(kSimulator);
  const auto init = simulator ? &Tss2_Tcti_Swtpm_Init : &Tss2_Tcti_Device_Init;
  const std::string name = simulator ? device.substr(kSimulator.size()) : device;
  std::size_t size = 0;
  if (init(nullptr, &size, name.c_str()) != TSS2_RC_SUCCESS) {
    return Error{Code::io, "vault.tpm.transport"};
  }
  std::vector<std::max_align_t> memory(size / sizeof(std::max_align_t) + 1);
  if (init(context_in(memory), &size, name.c_str()) != TSS2_RC_SUCCESS) {
    return Error{Code::io, "vault.tpm.connect", Detail("the TPM at " + device + " is not there")};
  }
  transport_ = std::move(memory);
  return Done{};
}

Status TpmConnection::start_session() {
  const TPM2B_PUBLIC form = salting_key();
  const TPM2B_SENSITIVE_CREATE nothing{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION registers{};
  ESYS_TR primary = ESYS_TR_NONE;
  TSS2_RC code = Esys_CreatePrimary(esys_, ESYS_TR_RH_NULL, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &nothing, &form, &outside, &registers, &primary,
                                    nullptr, nullptr, nullptr, nullptr);
  if (code != TSS2_RC_SUCCESS) return Error{Code::io, "vault.tpm.primary"};
  TPMT_SYM_DEF symmetric{};
  symmetric.algorithm = TPM2_ALG_AES;
  symmetric.keyBits.aes = 128;
  symmetric.mode.aes = TPM2_ALG_CFB;
  code = Esys_StartAuthSession(esys_, primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                               ESYS_TR_NONE, nullptr, TPM2_SE_HMAC, &symmetric, TPM2_ALG_SHA256,
                               &session_);
  Esys_FlushContext(esys_, primary);
  if (code != TSS2_RC_SUCCESS) return Error{Code::io, "vault.tpm.session"};
  code = Esys_TRSess_SetAttributes(esys_, session_, kUse, 0xff);
  if (code != TSS2_RC_SUCCESS) return Error{Code::io, "vault.tpm.session"};
  return Done{};
}

}  // namespace cloister
