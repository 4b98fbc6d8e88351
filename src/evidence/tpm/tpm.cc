#include "evidence/tpm/tpm.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tcti_device.h>
#include <tss2/tss2_tcti_swtpm.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace cloister {
namespace {

constexpr std::string_view kSimulator = "swtpm:";
constexpr std::size_t kPcrBytes = 32;
constexpr std::uint32_t kAllPcrs = (1U << kPcrCount) - 1;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMarshalledBytesMax = 2048;
constexpr std::uint16_t kNvBytesMax = 8192;
constexpr std::uint16_t kNvPieceBytes = 512;  // every TPM takes this much at once

Error failed(Place where) { return Error{Code::io, where}; }

template <class Value>
struct FreeValue {
  void operator()(Value* value) const noexcept { Esys_Free(value); }
};
template <class Value>
using Owned = std::unique_ptr<Value, FreeValue<Value>>;

Bytes view(const BYTE* bytes, std::size_t size) { return std::as_bytes(std::span(bytes, size)); }

void put(Bytes from, BYTE* to) {
  std::ranges::transform(from, to, [](std::byte b) { return std::to_integer<BYTE>(b); });
}

/// One connection to the TPM. The transports are linked and not loaded by name: what runs in this
/// process is what was built.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (esys_ != nullptr) Esys_Finalize(&esys_);
    if (connected_) Tss2_Tcti_Finalize(transport());
  }

  Status open(const std::string& device) {
    const bool simulator = device.starts_with(kSimulator);
    const auto init = simulator ? &Tss2_Tcti_Swtpm_Init : &Tss2_Tcti_Device_Init;
    const std::string name = simulator ? device.substr(kSimulator.size()) : device;
    std::size_t size = 0;
    if (init(nullptr, &size, name.c_str()) != TSS2_RC_SUCCESS) return failed("tpm.transport");
    memory_.resize(size / sizeof(std::max_align_t) + 1);
    connected_ = init(transport(), &size, name.c_str()) == TSS2_RC_SUCCESS;
    if (!connected_ || Esys_Initialize(&esys_, transport(), nullptr) != TSS2_RC_SUCCESS) {
      return failed("tpm.connect");
    }
    return Done{};
  }
  ESYS_CONTEXT* esys() const noexcept { return esys_; }

 private:
  TSS2_TCTI_CONTEXT* transport() noexcept {
    return reinterpret_cast<TSS2_TCTI_CONTEXT*>(memory_.data());
  }
  std::vector<std::max_align_t> memory_;
  bool connected_ = false;
  ESYS_CONTEXT* esys_ = nullptr;
};

/// A key or a session in one of the TPM's slots, flushed at the end of its life.
class Slot {
 public:
  explicit Slot(ESYS_CONTEXT* esys) noexcept : esys_(esys) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (handle_ != ESYS_TR_NONE) Esys_FlushContext(esys_, handle_);
  }
  ESYS_TR handle() const noexcept { return handle_; }
  ESYS_TR* place() noexcept { return &handle_; }

 private:
  ESYS_CONTEXT* esys_;
  ESYS_TR handle_ = ESYS_TR_NONE;
};

constexpr TPMA_OBJECT kBoundToTpm =
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN;

/// A key on P-256: one that signs only what the TPM itself made, or one that sessions are salted
/// to.
TPM2B_PUBLIC ecc_template(bool signs) {
  TPM2B_PUBLIC wrapped{};
  TPMT_PUBLIC& area = wrapped.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_RESTRICTED | kBoundToTpm | TPMA_OBJECT_USERWITHAUTH |
                          (signs ? TPMA_OBJECT_SIGN_ENCRYPT : TPMA_OBJECT_DECRYPT);
  TPMS_ECC_PARMS& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = signs ? TPM2_ALG_NULL : TPM2_ALG_AES;
  ecc.symmetric.keyBits.aes = 128;
  ecc.symmetric.mode.aes = TPM2_ALG_CFB;
  ecc.scheme.scheme = signs ? TPM2_ALG_ECDSA : TPM2_ALG_NULL;
  ecc.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  return wrapped;
}

/// An HMAC key that only `policy` may use; no password does.
TPM2B_PUBLIC hmac_template(const TPM2B_DIGEST& policy) {
  TPM2B_PUBLIC wrapped{};
  TPMT_PUBLIC& area = wrapped.publicArea;
  area.type = TPM2_ALG_KEYEDHASH;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kBoundToTpm | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_NODA;
  area.authPolicy = policy;
  area.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_HMAC;
  area.parameters.keyedHashDetail.scheme.details.hmac.hashAlg = TPM2_ALG_SHA256;
  return wrapped;
}

Result<Owned<TPM2B_PUBLIC>> create_primary(ESYS_CONTEXT* esys, ESYS_TR hierarchy,
                                           const TPM2B_PUBLIC& form, Slot& slot) {
  const TPM2B_SENSITIVE_CREATE no_secret{};
  const TPM2B_DATA no_data{};
  const TPML_PCR_SELECTION no_pcrs{};
  TPM2B_PUBLIC* made = nullptr;
  const TSS2_RC code = Esys_CreatePrimary(esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                          ESYS_TR_NONE, &no_secret, &form, &no_data, &no_pcrs,
                                          slot.place(), &made, nullptr, nullptr, nullptr);
  Owned<TPM2B_PUBLIC> owned(made);
  if (code != TSS2_RC_SUCCESS) return failed("tpm.primary");
  return owned;
}

TPML_PCR_SELECTION selection_of(std::uint32_t bits) {
  TPML_PCR_SELECTION selection{};
  selection.count = 1;
  selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
  selection.pcrSelections[0].sizeofSelect = 3;
  for (unsigned i = 0; i < 3; ++i) {
    selection.pcrSelections[0].pcrSelect[i] = static_cast<BYTE>(bits >> (8 * i));
  }
  return selection;
}

template <class Value, class Marshal>
Result<ByteVector> marshalled(const Value& value, Marshal marshal) {
  std::vector<BYTE> buffer(kMarshalledBytesMax);
  std::size_t size = 0;
  if (marshal(&value, buffer.data(), buffer.size(), &size) != TSS2_RC_SUCCESS) {
    return failed("tpm.marshal");
  }
  return copy_of(view(buffer.data(), size));
}

/// All PCRs in order. The TPM answers some of those asked for and says which.
Result<ByteVector> read_pcrs(ESYS_CONTEXT* esys) {
  ByteVector values(kPcrCount * kPcrBytes);
  for (std::uint32_t open = kAllPcrs; open != 0;) {
    const TPML_PCR_SELECTION asked = selection_of(open);
    TPML_PCR_SELECTION* answered = nullptr;
    TPML_DIGEST* digests = nullptr;
    if (Esys_PCR_Read(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &asked, nullptr, &answered,
                      &digests) != TSS2_RC_SUCCESS) {
      return failed("tpm.pcrs");
    }
    const Owned<TPML_PCR_SELECTION> owned_selection(answered);
    const Owned<TPML_DIGEST> owned_digests(digests);
    if (answered->count != 1 || digests->count == 0) return failed("tpm.pcrs");
    const std::uint32_t before = open;
    std::uint32_t next = 0;
    for (unsigned pcr = 0; pcr < kPcrCount; ++pcr) {
      const BYTE octet = answered->pcrSelections[0].pcrSelect[pcr / 8];
      if ((octet >> (pcr % 8) & 1) == 0) continue;
      if (next == digests->count || digests->digests[next].size != kPcrBytes) {
        return failed("tpm.pcrs");
      }
      const TPM2B_DIGEST& digest = digests->digests[next++];
      std::ranges::copy(view(digest.buffer, kPcrBytes),
                        values.begin() + static_cast<std::ptrdiff_t>(pcr * kPcrBytes));
      open &= ~(1U << pcr);
    }
    if (open == before) return failed("tpm.pcrs");  // nothing that was asked for
  }
  return values;
}

Result<TpmQuote> quote_by(ESYS_CONTEXT* esys, ESYS_TR key, Bytes nonce) {
  TPM2B_DATA extra{};
  extra.size = static_cast<UINT16>(nonce.size());
  put(nonce, extra.buffer);
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_NULL;  // the key's own
  const TPML_PCR_SELECTION all = selection_of(kAllPcrs);
  TPM2B_ATTEST* quoted = nullptr;
  TPMT_SIGNATURE* signature = nullptr;
  const TSS2_RC code = Esys_Quote(esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &extra,
                                  &scheme, &all, &quoted, &signature);
  const Owned<TPM2B_ATTEST> owned_quote(quoted);
  const Owned<TPMT_SIGNATURE> owned_signature(signature);
  if (code != TSS2_RC_SUCCESS) return failed("tpm.quote");
  TpmQuote made;
  made.message = copy_of(view(quoted->attestationData, quoted->size));
  CLOISTER_ASSIGN(made.signature, marshalled(*signature, Tss2_MU_TPMT_SIGNATURE_Marshal));
  CLOISTER_ASSIGN(made.pcrs, read_pcrs(esys));
  return made;
}

/// A session whose policy is the present value of `pcrs`. A trial one only tells the digest; a
/// real one is salted to `salt` and encrypts what crosses the bus.
Status start_policy(ESYS_CONTEXT* esys, ESYS_TR salt, std::uint32_t pcrs, Slot& session) {
  TPMT_SYM_DEF symmetric{};
  symmetric.algorithm = salt == ESYS_TR_NONE ? TPM2_ALG_NULL : TPM2_ALG_AES;
  symmetric.keyBits.aes = 128;
  symmetric.mode.aes = TPM2_ALG_CFB;
  const TPM2_SE kind = salt == ESYS_TR_NONE ? TPM2_SE_TRIAL : TPM2_SE_POLICY;
  if (Esys_StartAuthSession(esys, salt, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                            nullptr, kind, &symmetric, TPM2_ALG_SHA256,
                            session.place()) != TSS2_RC_SUCCESS) {
    return failed("tpm.session");
  }
  constexpr TPMA_SESSION kUse =
      TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
  if (salt != ESYS_TR_NONE &&
      Esys_TRSess_SetAttributes(esys, session.handle(), kUse, 0xFF) != TSS2_RC_SUCCESS) {
    return failed("tpm.session");
  }
  const TPM2B_DIGEST present{};
  const TPML_PCR_SELECTION selection = selection_of(pcrs);
  if (Esys_PolicyPCR(esys, session.handle(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &present,
                     &selection) != TSS2_RC_SUCCESS) {
    return failed("tpm.policy");
  }
  return Done{};
}

Result<Owned<TPM2B_DIGEST>> policy_digest(ESYS_CONTEXT* esys, std::uint32_t pcrs) {
  Slot trial(esys);
  CLOISTER_TRY(start_policy(esys, ESYS_TR_NONE, pcrs, trial));
  TPM2B_DIGEST* digest = nullptr;
  const TSS2_RC code = Esys_PolicyGetDigest(esys, trial.handle(), ESYS_TR_NONE, ESYS_TR_NONE,
                                            ESYS_TR_NONE, &digest);
  Owned<TPM2B_DIGEST> owned(digest);
  if (code != TSS2_RC_SUCCESS) return failed("tpm.policy");
  return owned;
}

}  // namespace

Result<std::unique_ptr<Tpm>> Tpm::open(const std::string& device) {
  Connection connection;
  CLOISTER_TRY(connection.open(device));
  CLOISTER_TRY(read_pcrs(connection.esys()));
  return std::unique_ptr<Tpm>(new Tpm(device));
}

Result<TpmQuote> Tpm::quote(Bytes nonce, std::optional<std::uint32_t> key) {
  const MutexLock lock(mutex_);
  Connection connection;
  CLOISTER_TRY(connection.open(device_));
  ESYS_CONTEXT* const esys = connection.esys();
  if (nonce.size() > sizeof(TPMU_HA)) return Error{Code::invalid, "tpm.nonce"};
  if (!key) {
    Slot slot(esys);
    CLOISTER_ASSIGN(const auto area,
                    create_primary(esys, ESYS_TR_RH_ENDORSEMENT, ecc_template(true), slot));
    CLOISTER_ASSIGN(TpmQuote made, quote_by(esys, slot.handle(), nonce));
    CLOISTER_ASSIGN(made.ak_public, marshalled(area->publicArea, Tss2_MU_TPMT_PUBLIC_Marshal));
    return made;
  }
  ESYS_TR handle = ESYS_TR_NONE;
  TPM2B_PUBLIC* area = nullptr;
  if (Esys_TR_FromTPMPublic(esys, *key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle) !=
          TSS2_RC_SUCCESS ||
      Esys_ReadPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, nullptr,
                      nullptr) != TSS2_RC_SUCCESS) {
    return failed("tpm.persistent_key");
  }
  const Owned<TPM2B_PUBLIC> owned(area);
  CLOISTER_ASSIGN(TpmQuote made, quote_by(esys, handle, nonce));
  CLOISTER_ASSIGN(made.ak_public, marshalled(area->publicArea, Tss2_MU_TPMT_PUBLIC_Marshal));
  return made;
}

Result<SecretBytes> Tpm::secret(std::string_view label, const std::set<std::uint32_t>& pcrs) {
  const MutexLock lock(mutex_);
  Connection connection;
  CLOISTER_TRY(connection.open(device_));
  ESYS_CONTEXT* const esys = connection.esys();
  TPM2B_MAX_BUFFER input{};
  std::uint32_t bits = 0;
  for (const std::uint32_t pcr : pcrs) bits |= pcr < kPcrCount ? 1U << pcr : 0;
  if (bits == 0 || label.size() > sizeof(input.buffer)) return Error{Code::invalid, "tpm.secret"};
  CLOISTER_ASSIGN(const auto policy, policy_digest(esys, bits));
  Slot key(esys);
  CLOISTER_TRY(create_primary(esys, ESYS_TR_RH_OWNER, hmac_template(*policy), key));
  Slot salt(esys);
  CLOISTER_TRY(create_primary(esys, ESYS_TR_RH_NULL, ecc_template(false), salt));
  Slot session(esys);
  CLOISTER_TRY(start_policy(esys, salt.handle(), bits, session));
  input.size = static_cast<UINT16>(label.size());
  put(bytes_of(label), input.buffer);
  TPM2B_DIGEST* output = nullptr;
  const TSS2_RC code = Esys_HMAC(esys, key.handle(), session.handle(), ESYS_TR_NONE, ESYS_TR_NONE,
                                 &input, TPM2_ALG_SHA256, &output);
  const Owned<TPM2B_DIGEST> owned(output);
  if (code != TSS2_RC_SUCCESS || output->size != kSecretBytes) return failed("tpm.hmac");
  SecretBytes secret(copy_of(view(output->buffer, kSecretBytes)));
  wipe(std::as_writable_bytes(std::span(output->buffer)));
  return secret;
}

Result<ByteVector> Tpm::read_nv(std::uint32_t index) {
  const MutexLock lock(mutex_);
  Connection connection;
  CLOISTER_TRY(connection.open(device_));
  ESYS_CONTEXT* const esys = connection.esys();
  ESYS_TR handle = ESYS_TR_NONE;
  if (Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle) !=
      TSS2_RC_SUCCESS) {
    return Error{Code::not_found, "tpm.nv"};
  }
  TPM2B_NV_PUBLIC* area = nullptr;
  const TSS2_RC code = Esys_NV_ReadPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                          &area, nullptr);
  const Owned<TPM2B_NV_PUBLIC> owned_area(area);
  if (code != TSS2_RC_SUCCESS || area->nvPublic.dataSize > kNvBytesMax) return failed("tpm.nv");
  const std::uint16_t size = area->nvPublic.dataSize;
  ByteVector content;
  while (content.size() < size) {
    const auto at = static_cast<std::uint16_t>(content.size());
    const auto left = static_cast<std::uint16_t>(size - at);
    TPM2B_MAX_NV_BUFFER* piece = nullptr;
    const TSS2_RC read = Esys_NV_Read(esys, ESYS_TR_RH_OWNER, handle, ESYS_TR_PASSWORD,
                                      ESYS_TR_NONE, ESYS_TR_NONE, std::min(left, kNvPieceBytes),
                                      at, &piece);
    const Owned<TPM2B_MAX_NV_BUFFER> owned(piece);
    if (read != TSS2_RC_SUCCESS || piece->size == 0) return failed("tpm.nv");
    const Bytes bytes = view(piece->buffer, piece->size);
    content.insert(content.end(), bytes.begin(), bytes.end());
  }
  return content;
}

}  // namespace cloister
