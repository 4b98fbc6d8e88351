#include <cstdint>

#include "base/check.h"
#include "crypto/x509.h"
#include "verifier/chain.h"
#include "verifier/intel/collateral.h"
#include "verifier/intel/pck.h"
#include "verifier/intel/quote.h"
#include "verifier/judge.h"
#include "verifier/time_text.h"
#include "verifier/tpm/attest.h"
#include "verifier/tpm/hcl.h"

// Every parser of the verifier behind one target; the first byte says which. What is stated: no
// parser reads past its input, what it accepts it can write again where a writer exists, and no
// input is ever accepted as evidence under the default policy.

namespace cloister {
namespace {

void read_documents(Bytes bytes) {
  const auto tcb = read_signed_document(text_of(bytes), "tcbInfo");
  if (tcb.ok()) (void)read_tcb_info(*tcb.value()->body);
  const auto qe = read_signed_document(text_of(bytes), "enclaveIdentity");
  if (qe.ok()) (void)read_qe_identity(*qe.value()->body);
}

void read_certificates(Bytes bytes) {
  const Result<Certificate> certificate = Certificate::parse(bytes);
  if (certificate.ok()) (void)read_pck_extension(certificate.value());
  (void)Crl::parse(bytes);
  (void)PublicKey::from_spki(bytes);
  (void)read_pem(bytes);
}

void read_formats(Bytes bytes) {
  const Result<EvidenceEnvelope> envelope = read_envelope(bytes);
  if (envelope.ok()) {
    const Result<EvidenceEnvelope> again = read_envelope(write_envelope(envelope.value()));
    CLOISTER_CHECK(again.ok() && again.value().claims == envelope.value().claims);
  }
  const Result<Claims> claims = read_claims(bytes);
  if (claims.ok()) {
    const Result<Claims> again = read_claims(write_claims(claims.value()));
    CLOISTER_CHECK(again.ok() && again.value().pubkey_hash == claims.value().pubkey_hash);
  }
  (void)read_simulated(bytes);
  (void)read_evidence_files(bytes);
  (void)with_certificate_table({}, bytes);
}

void read_tpm(Bytes bytes) {
  (void)read_tpm_attest(bytes);
  (void)read_tpm_public(bytes);
  (void)read_hcl_report(bytes);
}

void read_texts(Bytes bytes) {
  (void)read_policy(text_of(bytes));
  const auto time = time_of(text_of(bytes));
  CLOISTER_CHECK(!time || time_of(time_text(*time)) == time);
}

void judge_whole(Bytes bytes) {
  const UtcSeconds now{std::chrono::seconds(1767225600)};
  const Policy policy;
  CLOISTER_CHECK(
      !judge_recorded_evidence({{{"evidence", copy_of(bytes)}}, "", {}}, {}, policy, now)
           .accepted());
  CLOISTER_CHECK(!verify_certificate(bytes, {}, policy, now).accepted());
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const cloister::Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 6) {
    case 0: cloister::judge_whole(bytes); break;
    case 1: cloister::read_documents(bytes); break;
    case 2: cloister::read_certificates(bytes); break;
    case 3: cloister::read_formats(bytes); break;
    case 4: cloister::read_tpm(bytes); break;
    default: cloister::read_texts(bytes); break;
  }
  return 0;
}
