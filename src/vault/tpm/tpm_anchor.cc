#include "vault/tpm/tpm_anchor.h"

#include <tss2/tss2_esys.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "vault/store_keys.h"
#include "vault/tpm/tpm_connection.h"

namespace cloister {
namespace {

constexpr std::uint64_t kStepsMax = 4096;  // increments that one `advance` makes up for
constexpr std::uint16_t kSecretBytes = 8 + 8 + 32;
constexpr TPMA_NV kAccess = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA;

Error broken(TSS2_RC code, Place where) {
  const TSS2_RC plain = code & ~static_cast<TSS2_RC>(TPM2_RC_N_MASK | TPM2_RC_P);
  const bool replaced = plain == TPM2_RC_BAD_AUTH || plain == TPM2_RC_AUTH_FAIL ||
                        plain == TPM2_RC_HANDLE || plain == TPM2_RC_ATTRIBUTES ||
                        plain == (TPM2_RC_HANDLE & ~static_cast<TSS2_RC>(TPM2_RC_P));
  if (!replaced) return Error{Code::io, where};
  return Error{Code::corrupt, where,
               Detail("the rollback anchor's memory in the TPM is missing or was replaced")};
}

struct FreeBuffer {
  void operator()(void* buffer) const noexcept { Esys_Free(buffer); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeBuffer>;

class TpmAnchor final : public Anchor {
 public:
  explicit TpmAnchor(TpmAnchorSettings settings) noexcept : settings_(std::move(settings)) {}
  ~TpmAnchor() override { wipe(std::as_writable_bytes(std::span(&auth_, 1))); }

  AnchorKind kind() const noexcept override { return AnchorKind::tpm; }

  Status bind(const SecretBytes& key, bool create, const AnchorSecret& secret) override {
    const Bytes bytes = StoreKeys::read(key);
    if (bytes.size() != 32) return Error{Code::invalid, "vault.tpm.key"};
    auth_.size = 32;
    std::ranges::copy(bytes, std::as_writable_bytes(std::span(auth_.buffer)).begin());
    return use([&]() -> Status {
      if (create) CLOISTER_TRY(define(secret));
      CLOISTER_TRY(find_both());
      CLOISTER_ASSIGN(const Held held, read_secret());
      base_ = held.base;
      bound_ = true;
      return Done{};
    });
  }

  Result<AnchorSecret> secret() override {
    return use([&]() -> Result<AnchorSecret> {
      CLOISTER_ASSIGN(Held held, read_secret());
      return std::move(held.secret);
    });
  }

  Status replace_secret(const AnchorSecret& next) override {
    return use([&] { return write_secret(next, base_); });
  }

  Status check(std::uint64_t epoch) override {
    return use([&]() -> Status {
      CLOISTER_ASSIGN(const std::uint64_t value, read_counter());
      if (value >= base_ && epoch >= value - base_) return Done{};
      return Error{Code::corrupt, "vault.tpm.rolled_back"};
    });
  }

  Status advance(std::uint64_t epoch) override {
    return use([&]() -> Status {
      CLOISTER_ASSIGN(const std::uint64_t value, read_counter());
      const std::uint64_t wanted = base_ + epoch;
      if (wanted > value && wanted - value > kStepsMax) return Error{Code::io, "vault.tpm.behind"};
      for (std::uint64_t i = value; i < wanted; ++i) CLOISTER_TRY(increment());
      return Done{};
    });
  }

 private:
  struct Held {
    AnchorSecret secret;
    std::uint64_t base = 0;
  };

  /// Connects for as long as `act` runs: a simulator serves one connection at a time, and the
  /// platform may have its evidence from the same TPM.
  template <class Act>
  auto use(Act act) -> decltype(act()) {
    CLOISTER_ASSIGN(const TpmConnection connection, TpmConnection::open(settings_.device));
    esys_ = connection.esys();
    session_ = connection.session();
    if (bound_) CLOISTER_TRY(find_both());
    return act();
  }

  Status find_both() {
    CLOISTER_ASSIGN(counter_, find(settings_.counter_index));
    CLOISTER_ASSIGN(secret_, find(settings_.secret_index));
    return Done{};
  }

  Result<ESYS_TR> find(std::uint32_t index) {
    ESYS_TR handle = ESYS_TR_NONE;
    TSS2_RC code = Esys_TR_FromTPMPublic(esys_, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                         &handle);
    if (code == TSS2_RC_SUCCESS) code = Esys_TR_SetAuth(esys_, handle, &auth_);
    if (code != TSS2_RC_SUCCESS) return broken(code, "vault.tpm.find");
    return handle;
  }

  Status define_index(std::uint32_t index, TPMA_NV type, std::uint16_t size) {
    TPM2B_NV_PUBLIC form{};
    form.nvPublic.nvIndex = index;
    form.nvPublic.nameAlg = TPM2_ALG_SHA256;
    form.nvPublic.attributes = kAccess | type;
    form.nvPublic.dataSize = size;
    ESYS_TR handle = ESYS_TR_NONE;
    const TSS2_RC code = Esys_NV_DefineSpace(esys_, ESYS_TR_RH_OWNER, session_, ESYS_TR_NONE,
                                             ESYS_TR_NONE, &auth_, &form, &handle);
    if (code == TSS2_RC_SUCCESS) return Done{};
    if ((code & 0xfff) == TPM2_RC_NV_DEFINED) {
      return Error{Code::corrupt, "vault.tpm.exists",
                   Detail("the rollback anchor's memory in the TPM belongs to an earlier store")};
    }
    return broken(code, "vault.tpm.define");
  }

  Status define(const AnchorSecret& secret) {
    constexpr auto kCounter = static_cast<TPMA_NV>(TPM2_NT_COUNTER) << TPMA_NV_TPM2_NT_SHIFT;
    CLOISTER_TRY(define_index(settings_.counter_index, kCounter, 8));
    CLOISTER_TRY(define_index(settings_.secret_index, 0, kSecretBytes));
    CLOISTER_ASSIGN(counter_, find(settings_.counter_index));
    CLOISTER_ASSIGN(secret_, find(settings_.secret_index));
    // A new counter starts above every counter that this TPM ever had: epoch 1 is where it is.
    CLOISTER_TRY(increment());
    CLOISTER_ASSIGN(const std::uint64_t value, read_counter());
    return write_secret(secret, value - 1);
  }

  Status increment() {
    const TSS2_RC code = Esys_NV_Increment(esys_, counter_, counter_, session_, ESYS_TR_NONE,
                                           ESYS_TR_NONE);
    if (code != TSS2_RC_SUCCESS) return broken(code, "vault.tpm.increment");
    return Done{};
  }

  Result<Owned<TPM2B_MAX_NV_BUFFER>> read(ESYS_TR index, std::uint16_t size) {
    TPM2B_MAX_NV_BUFFER* buffer = nullptr;
    const TSS2_RC code = Esys_NV_Read(esys_, index, index, session_, ESYS_TR_NONE, ESYS_TR_NONE,
                                      size, 0, &buffer);
    Owned<TPM2B_MAX_NV_BUFFER> owned(buffer);
    if (code != TSS2_RC_SUCCESS) return broken(code, "vault.tpm.read");
    if (owned->size != size) return Error{Code::corrupt, "vault.tpm.read"};
    return owned;
  }

  Result<std::uint64_t> read_counter() {
    CLOISTER_ASSIGN(const auto buffer, read(counter_, 8));
    ByteReader reader(std::as_bytes(std::span(buffer->buffer)).first(8));
    return reader.u64_be();
  }

  Result<Held> read_secret() {
    CLOISTER_ASSIGN(const auto buffer, read(secret_, kSecretBytes));
    const auto bytes = std::as_writable_bytes(std::span(buffer->buffer)).first<kSecretBytes>();
    ByteReader reader(bytes);
    Held held;
    CLOISTER_ASSIGN(held.secret.generation, reader.u64_le());
    CLOISTER_ASSIGN(held.base, reader.u64_le());
    held.secret.bytes = SecretBytes(copy_of(reader.rest()));
    wipe(bytes);
    return held;
  }

  Status write_secret(const AnchorSecret& secret, std::uint64_t base) {
    TPM2B_MAX_NV_BUFFER buffer{};
    buffer.size = kSecretBytes;
    ByteWriter head;
    head.u64_le(secret.generation);
    head.u64_le(base);
    const MutableBytes bytes = std::as_writable_bytes(std::span(buffer.buffer));
    std::ranges::copy(StoreKeys::read(secret.bytes),
                      std::ranges::copy(head.view(), bytes.begin()).out);
    const TSS2_RC code = Esys_NV_Write(esys_, secret_, secret_, session_, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &buffer, 0);
    wipe(bytes);
    if (code != TSS2_RC_SUCCESS) return broken(code, "vault.tpm.write");
    return Done{};
  }

  TpmAnchorSettings settings_;
  ESYS_CONTEXT* esys_ = nullptr;  ///< of the connection of the use at hand, as is the next
  ESYS_TR session_ = ESYS_TR_NONE;
  bool bound_ = false;
  ESYS_TR counter_ = ESYS_TR_NONE;
  ESYS_TR secret_ = ESYS_TR_NONE;
  TPM2B_AUTH auth_{};
  std::uint64_t base_ = 0;  ///< the counter's value at epoch 0
};

}  // namespace

Result<std::unique_ptr<Anchor>> make_tpm_anchor(const TpmAnchorSettings& settings) {
  CLOISTER_TRY(TpmConnection::open(settings.device));
  return std::unique_ptr<Anchor>(std::make_unique<TpmAnchor>(settings));
}

}  // namespace cloister
