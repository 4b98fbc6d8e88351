#include <algorithm>
#include <memory>

#include "encoding/hex.h"
#include "verifier/chain.h"
#include "verifier/intel/tcb.h"
#include "verifier/fields.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr auto kRaw = SignatureScheme::ecdsa_p256_sha256_raw;
constexpr unsigned kSeptVeDisable = 28;
constexpr unsigned kMigratable = 29;

std::string window_text(UtcSeconds from, UtcSeconds to) {
  return "valid from " + time_text(from) + " to " + time_text(to);
}

/// One quote under judgement, in the order of docs/attestation.md, "Intel".
class QuoteJudge {
 public:
  explicit QuoteJudge(const Case& the_case) : case_(the_case) {}

  Verdict judge(Bytes bytes) && {
    if (Check refusal = read(bytes)) return refused_by(std::move(*refusal));
    state_measurements();
    if (Check refusal = check_authenticity()) return refused_by(std::move(*refusal));
    verdict_.authentic = true;
    if (Check refusal = check_collateral()) verdict_.refusals.push_back(std::move(*refusal));
    if (quote_.td) judge_td();
    return std::move(verdict_);
  }

 private:
  Verdict refused_by(Refusal refusal) {
    verdict_.refusals.push_back(std::move(refusal));
    return std::move(verdict_);
  }

  Check read(Bytes bytes) {
    Result<Quote> quote = read_quote(bytes);
    if (!quote.ok() && quote.error().code == Code::unsupported) {
      return refuse(Rule::unsupported, "a quote of another version, key type or vendor",
                    "version 3, 4 or 5 with an ECDSA P-256 key of Intel's QE");
    }
    if (!quote.ok()) {
      return refuse(Rule::format, "a quote whose lengths do not fit", "a whole DCAP quote");
    }
    quote_ = std::move(quote).value();
    verdict_.kind = quote_.kind;
    return std::nullopt;
  }

  void state(const char* name, Bytes value) {
    verdict_.measurements.push_back({name, hex_encode(value)});
  }

  void state_measurements() {
    if (quote_.enclave) {
      const SgxReport& report = *quote_.enclave;
      state("mrenclave", report.mrenclave);
      state("mrsigner", report.mrsigner);
      verdict_.measurements.push_back({"isvprodid", std::to_string(report.isvprodid)});
      verdict_.measurements.push_back({"isvsvn", std::to_string(report.isvsvn)});
      state("attributes", report.attributes);
      state("miscselect", report.miscselect);
      verdict_.debug = report.debug();
      std::ranges::copy(report.report_data, verdict_.report_data.begin());
      return;
    }
    const TdReport& report = *quote_.td;
    state("mrtd", report.mrtd);
    constexpr const char* kRtmrNames[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    for (std::size_t i = 0; i < report.rtmr.size(); ++i) state(kRtmrNames[i], report.rtmr[i]);
    state("mrconfigid", report.mrconfigid);
    state("mrowner", report.mrowner);
    state("mrownerconfig", report.mrownerconfig);
    state("mrseam", report.mrseam);
    state("mrsignerseam", report.mrsignerseam);
    state("seamattr", report.seamattributes);
    state("tdattr", report.tdattributes);
    state("xfam", report.xfam);
    state("teetcbsvn", report.tee_tcb_svn);
    if (report.tee_tcb_svn_2) state("teetcbsvn2", *report.tee_tcb_svn_2);
    if (report.mrservicetd) state("mrservicetd", *report.mrservicetd);
    verdict_.debug = report.debug();
    std::ranges::copy(report.report_data, verdict_.report_data.begin());
  }

  Check check_authenticity() {
    CLOISTER_REFUSE_IF(check_chain());
    const PublicKey& pck = pck_chain_->keys.front();
    if (!pck.verify(kRaw, quote_.qe_report.whole, quote_.qe_signature).ok()) {
      return refuse(Rule::qe_signature, "a QE report that the PCK did not sign",
                    "the PCK's signature");
    }
    CLOISTER_REFUSE_IF(check_qe_hash());
    if (quote_.qe_report.debug()) {
      return refuse(Rule::qe_debug, "a quoting enclave in debug mode", "Intel's production QE");
    }
    const Result<PublicKey> key = PublicKey::from_p256_point(quote_.attestation_key);
    if (!key.ok() || !key.value().verify(kRaw, quote_.signed_bytes, quote_.signature).ok()) {
      return refuse(Rule::quote_signature, "a signature that does not hold over header and body",
                    "the attestation key's signature");
    }
    return std::nullopt;
  }

  Check check_chain() {
    const bool carried = quote_.certification == 5;
    if (!carried && case_.endorsements.pck_chain.empty()) {
      return refuse(Rule::chain,
                    "certification type " + std::to_string(quote_.certification) +
                        ", which carries no certificates",
                    "type 5, or a PCK chain beside the quote");
    }
    const Bytes pem = carried ? quote_.certification_bytes : Bytes(case_.endorsements.pck_chain);
    Judged<Chain> chain = judge_pem_chain(pem, case_.anchors.intel, case_.now);
    if (chain.refusal) return chain.refusal;
    pck_chain_ = std::move(chain.value);
    Result<PckExtension> pck = read_pck_extension(pck_chain_->leaf());
    if (!pck.ok()) {
      return refuse(Rule::pck_extension, "a leaf without Intel's extension, or a malformed one",
                    "a PCK certificate");
    }
    pck_ = pck.value();
    verdict_.measurements.push_back({"fmspc", hex_encode(pck_.fmspc)});
    // Intel's two authorities for PCKs have lists of their own: PCS, "Get PCK Cert CRL".
    const bool by_processor =
        text_of(pck_chain_->leaf().issuer()).find("Processor") != std::string_view::npos;
    verdict_.measurements.push_back({"pck_ca", by_processor ? "processor" : "platform"});
    expire_at(pck_chain_->not_after());
    return std::nullopt;
  }

  Check check_qe_hash() {
    ByteVector hashed = copy_of(quote_.attestation_key);
    hashed.insert(hashed.end(), quote_.qe_authentication.begin(), quote_.qe_authentication.end());
    ReportData expected{};
    std::ranges::copy(sha256(hashed), expected.begin());
    if (!std::ranges::equal(quote_.qe_report.report_data, expected)) {
      return refuse(Rule::qe_hash, hex_encode(quote_.qe_report.report_data),
                    "SHA-256 of attestation key and authentication data, " + hex_encode(expected));
    }
    return std::nullopt;
  }

  Check check_collateral() {
    const Endorsements& given = case_.endorsements;
    if (given.tcb_info.empty() || given.qe_identity.empty() || given.tcb_signing_chain.empty() ||
        given.root_crl.empty() || given.pck_crl.empty()) {
      return refuse(Rule::collateral_missing, "no complete collateral",
                    "TCB info, QE identity, their signing chain and both revocation lists for "
                    "FMSPC " + hex_encode(pck_.fmspc));
    }
    CLOISTER_REFUSE_IF(read_documents());
    CLOISTER_REFUSE_IF(check_identifiers());
    CLOISTER_REFUSE_IF(check_revocation());
    CLOISTER_REFUSE_IF(check_time());
    CLOISTER_REFUSE_IF(check_evaluation_numbers());
    CLOISTER_REFUSE_IF(check_qe_identity());
    CLOISTER_REFUSE_IF(check_module());
    judge_platform();
    return std::nullopt;
  }

  Check check_document(const char* name, const Result<std::unique_ptr<SignedDocument>>& document) {
    if (!document.ok()) {
      return refuse(Rule::collateral_format, std::string("a malformed ") + name,
                    "Intel's signed JSON");
    }
    const SignedDocument& read = *document.value();
    if (!tcb_chain_->keys.front().verify(kRaw, read.signed_bytes, read.signature).ok()) {
      return refuse(Rule::collateral_signature,
                    std::string("a signature that does not hold over the ") + name,
                    "Intel's, over the bytes as they were received");
    }
    return std::nullopt;
  }

  Check read_documents() {
    const Endorsements& given = case_.endorsements;
    Judged<Chain> chain =
        judge_pem_chain(given.tcb_signing_chain, case_.anchors.intel, case_.now);
    if (chain.refusal) return chain.refusal;
    tcb_chain_ = std::move(chain.value);
    const auto tcb_text = read_signed_document(text_of(given.tcb_info), "tcbInfo");
    CLOISTER_REFUSE_IF(check_document("TCB info", tcb_text));
    const auto qe_text = read_signed_document(text_of(given.qe_identity), "enclaveIdentity");
    CLOISTER_REFUSE_IF(check_document("QE identity", qe_text));
    Result<TcbInfo> tcb = read_tcb_info(*tcb_text.value()->body);
    Result<EnclaveIdentity> qe = read_qe_identity(*qe_text.value()->body);
    if (!tcb.ok() || !qe.ok()) {
      return refuse(Rule::collateral_format, "a document with missing or unknown members",
                    "TCB info version 3 and QE identity version 2");
    }
    tcb_ = std::move(tcb).value();
    qe_ = std::move(qe).value();
    return std::nullopt;
  }

  Check check_identifiers() {
    const bool is_td = quote_.td.has_value();
    if (tcb_.id != (is_td ? "TDX" : "SGX")) {
      return refuse(Rule::tcb_info_id, tcb_.id, is_td ? "TDX" : "SGX");
    }
    if (qe_.id != (is_td ? "TD_QE" : "QE")) {
      return refuse(Rule::qe_identity_id, qe_.id, is_td ? "TD_QE" : "QE");
    }
    if (!std::ranges::equal(tcb_.fmspc, pck_.fmspc)) {
      return refuse(Rule::fmspc, "TCB info for " + hex_encode(tcb_.fmspc),
                    "for the platform's " + hex_encode(pck_.fmspc));
    }
    if (!std::ranges::equal(tcb_.pceid, pck_.pceid)) {
      return refuse(Rule::pceid, "TCB info for PCE " + hex_encode(tcb_.pceid),
                    "for the platform's " + hex_encode(pck_.pceid));
    }
    return std::nullopt;
  }

  /// A list that is signed by `issuer` of `chain` and that none of `serials` is on.
  Check check_list(Bytes der, const Chain& chain, std::size_t issuer,
                   std::initializer_list<Bytes> serials, const char* name) {
    const Result<Crl> parsed = Crl::parse(der);
    if (!parsed.ok()) {
      return refuse(Rule::collateral_format, std::string("a malformed ") + name, "a CRL in DER");
    }
    const Crl& crl = parsed.value();
    if (!std::ranges::equal(crl.issuer(), chain.path[issuer].subject()) ||
        !chain.path[issuer].may_sign_crls()) {
      return refuse(Rule::crl_issuer, std::string("a ") + name + " of another authority",
                    "one of the certificate's issuer");
    }
    if (!crl.check_signature(chain.keys[issuer]).ok()) {
      return refuse(Rule::crl_signature, std::string("a ") + name + " whose signature fails",
                    "its issuer's signature");
    }
    for (const Bytes serial : serials) {
      if (crl.lists(serial)) {
        return refuse(Rule::revoked, "the certificate with serial number " + hex_encode(serial),
                      "a certificate that is not on the " + std::string(name));
      }
    }
    windows_.push_back({name, crl.this_update(), crl.next_update()});
    return std::nullopt;
  }

  Check check_revocation() {
    const Chain& pck = *pck_chain_;
    const Chain& tcb = *tcb_chain_;
    if (pck.path.size() != 3 || tcb.path.size() != 2) {
      return refuse(Rule::collateral_issuer, "a chain of another length",
                    "PCK, one authority, root; TCB signing, root");
    }
    CLOISTER_REFUSE_IF(check_list(case_.endorsements.root_crl, pck, 2,
                                  {pck.path[1].serial(), tcb.leaf().serial()}, "root CRL"));
    return check_list(case_.endorsements.pck_crl, pck, 1, {pck.leaf().serial()}, "PCK CRL");
  }

  void expire_at(UtcSeconds time) {
    if (!verdict_.expires || time < *verdict_.expires) verdict_.expires = time;
  }

  Check check_time() {
    windows_.push_back({"TCB info", tcb_.issued, tcb_.next_update});
    windows_.push_back({"QE identity", qe_.issued, qe_.next_update});
    expire_at(tcb_chain_->not_after());
    for (const Window& window : windows_) expire_at(window.to);
    for (const Window& window : windows_) {
      if (window.from <= case_.now && case_.now <= window.to) continue;
      return refuse(Rule::collateral_expired,
                    std::string(window.name) + " " + window_text(window.from, window.to),
                    "collateral that is valid at " + time_text(case_.now));
    }
    const auto& age_max = case_.policy.collateral_age_max;
    for (const Window& window : windows_) {
      if (age_max) expire_at(window.from + *age_max);
      if (!age_max || case_.now - window.from <= *age_max) continue;
      return refuse(Rule::collateral_age,
                    std::string(window.name) + " issued at " + time_text(window.from),
                    "at most " + std::to_string(age_max->count()) + " days old");
    }
    return std::nullopt;
  }

  Check check_evaluation_numbers() {
    const std::uint64_t minimum = case_.policy.evaluation_number_min;
    if (tcb_.evaluation_number != qe_.evaluation_number || tcb_.evaluation_number < minimum) {
      return refuse(Rule::evaluation_number,
                    std::to_string(tcb_.evaluation_number) + " and " +
                        std::to_string(qe_.evaluation_number),
                    "equal numbers, at least " + std::to_string(minimum));
    }
    return std::nullopt;
  }

  Check check_qe_identity() {
    const SgxReport& report = quote_.qe_report;
    const bool holds =
        matches_masked(report.miscselect, qe_.miscselect, qe_.miscselect_mask) &&
        matches_masked(report.attributes, qe_.attributes, qe_.attributes_mask) &&
        std::ranges::equal(report.mrsigner, qe_.mrsigner) && report.isvprodid == qe_.isvprodid;
    if (holds) return std::nullopt;
    return refuse(Rule::qe_identity,
                  "a QE of signer " + hex_encode(report.mrsigner) + ", product " +
                      std::to_string(report.isvprodid),
                  "signer " + hex_encode(qe_.mrsigner) + ", product " +
                      std::to_string(qe_.isvprodid) + " and its masked attributes");
  }

  Check check_module() {
    if (!quote_.td) return std::nullopt;
    const EnclaveIdentity* identity = module_identity(tcb_, quote_.td->tee_tcb_svn);
    const EnclaveIdentity& expected = identity == nullptr ? tcb_.module : *identity;
    const bool holds =
        std::ranges::equal(quote_.td->mrsignerseam, expected.mrsigner) &&
        matches_masked(quote_.td->seamattributes, expected.attributes, expected.attributes_mask);
    if (holds) return std::nullopt;
    return refuse(Rule::tdx_module,
                  "a TDX module of signer " + hex_encode(quote_.td->mrsignerseam) +
                      " with attributes " + hex_encode(quote_.td->seamattributes),
                  "signer " + hex_encode(expected.mrsigner) + " with attributes " +
                      hex_encode(expected.attributes));
  }

  void judge_platform() {
    TcbJudgement judgement = judge_tcb(tcb_, qe_, pck_, quote_);
    verdict_.tcb_status = judgement.status;
    verdict_.tcb_date = std::move(judgement.date);
    verdict_.qe_status = name_of(judgement.qe_status);
    verdict_.module_id = std::move(judgement.module_id);
    verdict_.module_status = name_of(judgement.module_status);
    verdict_.advisories = std::move(judgement.advisories);
  }

  void judge_td() {
    const TdReport& report = *quote_.td;
    const Policy& policy = case_.policy;
    if (policy.require_sept_ve_disable && !report.attribute(kSeptVeDisable)) {
      verdict_.refusals.push_back({Rule::sept_ve_disable,
                                   "TD attributes " + hex_encode(report.tdattributes),
                                   "SEPT_VE_DISABLE, or the host can inject exceptions"});
    }
    if (report.attribute(kMigratable)) {
      verdict_.not_proven.push_back("that the machine stays on this platform: it is migratable");
      if (!policy.allow_migratable) {
        verdict_.refusals.push_back({Rule::migratable,
                                     "TD attributes " + hex_encode(report.tdattributes),
                                     "a machine that cannot be migrated, or allow_migratable"});
      }
    }
    if (!report.mrservicetd || is_zero(*report.mrservicetd)) return;
    const auto listed = policy.tdx.find("mrservicetd");
    const bool allowed =
        listed != policy.tdx.end() &&
        std::ranges::any_of(listed->second, [&report](const ByteVector& value) {
          return std::ranges::equal(value, *report.mrservicetd);
        });
    if (!allowed) {
      verdict_.refusals.push_back({Rule::service_td, hex_encode(*report.mrservicetd),
                                   "no service TD, or one that the policy lists"});
    }
  }

  struct Window {
    const char* name;
    UtcSeconds from, to;
  };

  const Case& case_;
  Verdict verdict_;
  Quote quote_;
  PckExtension pck_;
  std::optional<Chain> pck_chain_, tcb_chain_;
  TcbInfo tcb_;
  EnclaveIdentity qe_;
  std::vector<Window> windows_;
};

}  // namespace

Verdict judge_quote(Bytes quote, const Case& the_case) {
  return QuoteJudge(the_case).judge(quote);
}

}  // namespace cloister
