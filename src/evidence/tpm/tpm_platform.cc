#include "evidence/tpm/tpm_platform.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include <algorithm>
#include <vector>

#include "base/mutex.h"
#include "encoding/cbor.h"

namespace cloister {
namespace {

constexpr std::size_t kPcrBytes = 32;
constexpr unsigned kPcrCount = 24;
constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kMarshalledBytesMax = 2048;

Error failed() { return Error{Code::io, "tpm.command"}; }

struct FreeTcti {
  void operator()(TSS2_TCTI_CONTEXT* context) const noexcept { Tss2_TctiLdr_Finalize(&context); }
};
struct FreeEsys {
  void operator()(ESYS_CONTEXT* context) const noexcept { Esys_Finalize(&context); }
};
template <class Value>
struct FreeValue {
  void operator()(Value* value) const noexcept { Esys_Free(value); }
};
template <class Value>
using Owned = std::unique_ptr<Value, FreeValue<Value>>;

/// A key in one of the TPM's slots, flushed at the end of its life.
class TransientKey {
 public:
  TransientKey(ESYS_CONTEXT* esys, ESYS_TR handle) noexcept : esys_(esys), handle_(handle) {}
  TransientKey(const TransientKey&) = delete;
  TransientKey& operator=(const TransientKey&) = delete;
  ~TransientKey() { Esys_FlushContext(esys_, handle_); }
  ESYS_TR handle() const noexcept { return handle_; }

 private:
  ESYS_CONTEXT* esys_;
  ESYS_TR handle_;
};

/// The template of the attestation key: ECDSA P-256, restricted to what the TPM itself made.
TPM2B_PUBLIC key_template() {
  TPM2B_PUBLIC wrapped{};
  TPMT_PUBLIC& area = wrapped.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT |
                          TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH;
  area.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
  area.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  area.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  area.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  return wrapped;
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

Bytes view(const BYTE* bytes, std::size_t size) {
  return std::as_bytes(std::span(bytes, size));
}

template <class Value, class Marshal>
Result<ByteVector> marshalled(const Value& value, Marshal marshal) {
  std::vector<BYTE> buffer(kMarshalledBytesMax);
  std::size_t size = 0;
  if (marshal(&value, buffer.data(), buffer.size(), &size) != TSS2_RC_SUCCESS) return failed();
  return copy_of(view(buffer.data(), size));
}

class TpmPlatform final : public Platform {
 public:
  TpmPlatform(std::unique_ptr<TSS2_TCTI_CONTEXT, FreeTcti> tcti,
              std::unique_ptr<ESYS_CONTEXT, FreeEsys> esys)
      : tcti_(std::move(tcti)), esys_(std::move(esys)) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::tpm; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    const TPM2B_SENSITIVE_CREATE no_secret{};
    const TPM2B_PUBLIC shape = key_template();
    const TPM2B_DATA no_data{};
    const TPML_PCR_SELECTION no_pcrs{};
    ESYS_TR handle = ESYS_TR_NONE;
    TPM2B_PUBLIC* made = nullptr;
    if (Esys_CreatePrimary(esys_.get(), ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, &no_secret, &shape, &no_data, &no_pcrs, &handle, &made,
                           nullptr, nullptr, nullptr) != TSS2_RC_SUCCESS) {
      return failed();
    }
    const TransientKey key(esys_.get(), handle);
    const Owned<TPM2B_PUBLIC> owned(made);
    std::vector<CborEntry> files;
    const auto add = [&files](const char* name, Bytes content) {
      files.push_back({CborValue::of_text(name), CborValue::of_bytes(content)});
    };
    CLOISTER_ASSIGN(const ByteVector area,
                    marshalled(made->publicArea, Tss2_MU_TPMT_PUBLIC_Marshal));
    add("ak.tpmt", area);
    CLOISTER_ASSIGN(const ByteVector pcrs, read_pcrs());
    add("pcrs.bin", pcrs);
    CLOISTER_TRY(quote(key.handle(), report_data, add));
    return PlatformEvidence{encode_cbor(CborValue::of_map(std::move(files))), {}};
  }

  Result<SecretBytes> root_secret() override { return Error{Code::unavailable, "tpm.sealing"}; }

 private:
  template <class Add>
  Status quote(ESYS_TR key, const ReportData& report_data, const Add& add) REQUIRES(mutex_) {
    TPM2B_DATA nonce{};
    nonce.size = kNonceBytes;
    std::ranges::transform(Bytes(report_data).first(kNonceBytes), nonce.buffer,
                           [](std::byte b) { return std::to_integer<BYTE>(b); });
    TPMT_SIG_SCHEME scheme{};
    scheme.scheme = TPM2_ALG_NULL;  // the key's own
    const TPML_PCR_SELECTION all = selection_of(0xFFFFFF);
    TPM2B_ATTEST* quoted = nullptr;
    TPMT_SIGNATURE* signature = nullptr;
    if (Esys_Quote(esys_.get(), key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nonce, &scheme,
                   &all, &quoted, &signature) != TSS2_RC_SUCCESS) {
      return failed();
    }
    const Owned<TPM2B_ATTEST> owned_quote(quoted);
    const Owned<TPMT_SIGNATURE> owned_signature(signature);
    add("quote.msg", view(quoted->attestationData, quoted->size));
    CLOISTER_ASSIGN(const ByteVector encoded,
                    marshalled(*signature, Tss2_MU_TPMT_SIGNATURE_Marshal));
    add("quote.sig", encoded);
    return Done{};
  }

  /// All PCRs in order. The TPM answers some of those asked for and says which.
  Result<ByteVector> read_pcrs() REQUIRES(mutex_) {
    ByteVector values(kPcrCount * kPcrBytes);
    for (std::uint32_t open = 0xFFFFFF; open != 0;) {
      const TPML_PCR_SELECTION asked = selection_of(open);
      TPML_PCR_SELECTION* answered = nullptr;
      TPML_DIGEST* digests = nullptr;
      if (Esys_PCR_Read(esys_.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &asked, nullptr,
                        &answered, &digests) != TSS2_RC_SUCCESS) {
        return failed();
      }
      const Owned<TPML_PCR_SELECTION> owned_selection(answered);
      const Owned<TPML_DIGEST> owned_digests(digests);
      if (answered->count != 1 || digests->count == 0) return failed();
      std::uint32_t next = 0;
      for (unsigned pcr = 0; pcr < kPcrCount; ++pcr) {
        const BYTE octet = answered->pcrSelections[0].pcrSelect[pcr / 8];
        if ((octet >> (pcr % 8) & 1) == 0) continue;
        if (next == digests->count || digests->digests[next].size != kPcrBytes) return failed();
        const TPM2B_DIGEST& digest = digests->digests[next++];
        std::ranges::copy(view(digest.buffer, kPcrBytes),
                          values.begin() + static_cast<std::ptrdiff_t>(pcr * kPcrBytes));
        open &= ~(1U << pcr);
      }
    }
    return values;
  }

  Mutex mutex_;
  const std::unique_ptr<TSS2_TCTI_CONTEXT, FreeTcti> tcti_;  // outlives the context that uses it
  const std::unique_ptr<ESYS_CONTEXT, FreeEsys> esys_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_tpm_platform(const std::string& transport) {
  TSS2_TCTI_CONTEXT* tcti = nullptr;
  if (Tss2_TctiLdr_Initialize(transport.c_str(), &tcti) != TSS2_RC_SUCCESS) return failed();
  std::unique_ptr<TSS2_TCTI_CONTEXT, FreeTcti> owned_tcti(tcti);
  ESYS_CONTEXT* esys = nullptr;
  if (Esys_Initialize(&esys, tcti, nullptr) != TSS2_RC_SUCCESS) return failed();
  return std::unique_ptr<Platform>(std::make_unique<TpmPlatform>(
      std::move(owned_tcti), std::unique_ptr<ESYS_CONTEXT, FreeEsys>(esys)));
}

}  // namespace cloister
