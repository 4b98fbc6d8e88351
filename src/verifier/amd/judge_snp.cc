#include <algorithm>

#include "encoding/hex.h"
#include "verifier/amd/report.h"
#include "verifier/chain.h"
#include "verifier/fields.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr Oid kBootLoader("1.3.6.1.4.1.3704.1.3.1");
constexpr Oid kTee("1.3.6.1.4.1.3704.1.3.2");
constexpr Oid kSnp("1.3.6.1.4.1.3704.1.3.3");
constexpr Oid kMicrocode("1.3.6.1.4.1.3704.1.3.8");
constexpr Oid kFmc("1.3.6.1.4.1.3704.1.3.9");
constexpr Oid kHardwareId("1.3.6.1.4.1.3704.1.4");
constexpr Oid kProvider("1.3.6.1.4.1.3704.1.5");
constexpr std::uint32_t kEcdsaP384Sha384 = 1;

std::string tcb_text(const SnpTcb& tcb) {
  return "fmc " + std::to_string(tcb.fmc) + ", boot loader " + std::to_string(tcb.boot_loader) +
         ", tee " + std::to_string(tcb.tee) + ", snp " + std::to_string(tcb.snp) +
         ", microcode " + std::to_string(tcb.microcode);
}

/// An INTEGER extension of at most one byte; nothing when absent or malformed.
std::optional<std::uint8_t> svn_of(const Certificate& vek, const Oid& oid) {
  const auto extension = vek.extension(oid);
  if (!extension) return std::nullopt;
  DerReader reader(*extension);
  const Result<Bytes> content = reader.take(DerTag::integer);
  if (!content.ok() || !reader.empty()) return std::nullopt;
  const Result<std::uint64_t> value = der_unsigned(content.value());
  if (!value.ok() || value.value() > 0xFF) return std::nullopt;
  return static_cast<std::uint8_t>(value.value());
}

/// The chip's identity: raw, or inside an OCTET STRING.
Bytes hardware_id(Bytes extension) {
  if (extension.size() == 64 || extension.size() == 8) return extension;
  DerReader reader(extension);
  const Result<Bytes> content = reader.take(DerTag::octet_string);
  return content.ok() && reader.empty() ? content.value() : Bytes();
}

/// One report under judgement, in the order of docs/attestation.md, "AMD".
class SnpJudge {
 public:
  explicit SnpJudge(const Case& the_case) : case_(the_case) { verdict_.kind = EvidenceKind::snp; }

  Verdict judge(Bytes bytes) && {
    if (Check refusal = check_authenticity(bytes)) {
      verdict_.refusals.push_back(std::move(*refusal));
      return std::move(verdict_);
    }
    verdict_.authentic = true;
    judge_platform();
    return std::move(verdict_);
  }

 private:
  Check check_authenticity(Bytes bytes) {
    const Result<SnpReport> report = read_snp_report(bytes);
    if (!report.ok()) {
      return refuse(Rule::format, std::to_string(bytes.size()) + " bytes",
                    "a report of " + std::to_string(kSnpReportBytes) + " bytes");
    }
    report_ = report.value();
    state_measurements();
    CLOISTER_REFUSE_IF(check_header());
    CLOISTER_REFUSE_IF(read_vek());
    CLOISTER_REFUSE_IF(check_issuer());
    CLOISTER_REFUSE_IF(check_vek_fields());
    const auto signature = raw_signature(report_);
    const Result<PublicKey> key = PublicKey::from_spki(vek_->spki());
    if (!signature || !key.ok() ||
        !key.value()
             .verify(SignatureScheme::ecdsa_p384_sha384_raw, report_.signed_bytes, *signature)
             .ok()) {
      return refuse(Rule::report_signature, "a signature that does not hold over the report",
                    "the VCEK's or VLEK's");
    }
    return std::nullopt;
  }

  void state(const char* name, Bytes value) {
    verdict_.measurements.push_back({name, hex_encode(value)});
  }
  void state(const char* name, std::uint64_t value) {
    verdict_.measurements.push_back({name, std::to_string(value)});
  }

  void state_measurements() {
    const SnpReport& report = report_;
    state("measurement", report.measurement);
    state("host_data", report.host_data);
    state("id_key_digest", report.id_key_digest);
    state("author_key_digest", report.author_key_digest);
    state("report_id", report.report_id);
    state("chip_id", report.chip_id);
    state("family_id", report.family_id);
    state("image_id", report.image_id);
    state("reported_tcb", report.reported_tcb);
    state("current_tcb", report.current_tcb);
    state("committed_tcb", report.committed_tcb);
    state("launch_tcb", report.launch_tcb);
    state("version", report.version);
    state("guest_svn", report.guest_svn);
    state("policy", report.policy);
    state("vmpl", report.vmpl);
    state("platform_info", report.platform_info);
    state("flags", report.flags);
    state("cpuid_fam", report.cpuid_family);
    state("cpuid_mod", report.cpuid_model);
    state("cpuid_step", report.cpuid_stepping);
    state("launch_mit", report.launch_mitigation);
    state("current_mit", report.current_mitigation);
    verdict_.debug = report.debug();
    std::ranges::copy(report.report_data, verdict_.report_data.begin());
  }

  Check check_header() {
    if (report_.version < 2 || report_.version > 5) {
      return refuse(Rule::report_version, std::to_string(report_.version), "2 to 5");
    }
    if (report_.signature_algorithm != kEcdsaP384Sha384) {
      return refuse(Rule::report_signature_algorithm,
                    std::to_string(report_.signature_algorithm), "1, ECDSA P-384 with SHA-384");
    }
    is_vlek_ = report_.signer() == SnpSigner::vlek;
    if (!is_vlek_ && report_.signer() != SnpSigner::vcek) {
      return refuse(Rule::signing_key, "a report that no key of AMD's signed", "VCEK or VLEK");
    }
    verdict_.measurements.push_back({"signing_key", is_vlek_ ? "VLEK" : "VCEK"});
    if (report_.version >= 3 && !product_of(report_)) {
      return refuse(Rule::product,
                    "CPU family " + std::to_string(report_.cpuid_family) + ", model " +
                        std::to_string(report_.cpuid_model),
                    "Milan, Genoa or Turin");
    }
    return std::nullopt;
  }

  Check read_vek() {
    if (case_.endorsements.vek.empty()) {
      return refuse(Rule::collateral_missing, "no VCEK or VLEK",
                    "the certificate of the key that signed the report");
    }
    Result<Certificate> vek = Certificate::parse(case_.endorsements.vek);
    if (!vek.ok()) return refuse(Rule::chain, "a VCEK or VLEK that cannot be read", "X.509, DER");
    vek_ = std::move(vek).value();
    return std::nullopt;
  }

  const std::vector<Sha256Digest>& roots_of(AmdProduct product) const {
    switch (product) {
      case AmdProduct::milan: return case_.anchors.amd_milan;
      case AmdProduct::genoa: return case_.anchors.amd_genoa;
      case AmdProduct::turin: break;
    }
    return case_.anchors.amd_turin;
  }

  /// Version 2 does not name its product: whichever product's keys vouch for the VEK it is.
  Check check_issuer() {
    const auto stated = product_of(report_);
    std::vector<AmdProduct> candidates{AmdProduct::milan, AmdProduct::genoa, AmdProduct::turin};
    if (stated) candidates = {*stated};
    Check last;
    for (const AmdProduct product : candidates) {
      last = case_.endorsements.vek_chain.empty() ? check_published(product)
                                                  : check_given_chain(product);
      if (last) continue;
      product_ = product;
      verdict_.measurements.push_back({"product", name_of(product)});
      return std::nullopt;
    }
    return last;
  }

  Check check_published(AmdProduct product) {
    const AmdIntermediate issuer = published_intermediate(product, is_vlek_);
    if (vek_->is_ca() || !vek_->check_signature(issuer.key).ok()) {
      return refuse(Rule::chain, "a VCEK or VLEK that AMD's key of the product did not sign",
                    "a chain to AMD's root");
    }
    if (!vek_->valid_at(case_.now)) {
      return refuse(Rule::chain_validity,
                    "a VCEK or VLEK valid from " + time_text(vek_->not_before()) + " to " +
                        time_text(vek_->not_after()),
                    "one that is valid at " + time_text(case_.now));
    }
    verdict_.expires = vek_->not_after();
    if (case_.endorsements.amd_crl.empty()) return std::nullopt;
    return check_revocation(published_root(product), std::nullopt,
                            {issuer.serial, copy_of(vek_->serial())});
  }

  Check check_given_chain(AmdProduct product) {
    Result<std::vector<ByteVector>> given = read_pem(case_.endorsements.vek_chain);
    if (!given.ok()) return refuse(Rule::chain, "a chain that is no PEM", "ASK and ARK in PEM");
    std::vector<ByteVector> ders = std::move(given).value();
    ders.push_back(case_.endorsements.vek);
    Judged<Chain> chain = judge_chain(std::move(ders), roots_of(product), case_.now);
    if (chain.refusal) return chain.refusal;
    verdict_.expires = chain.value->not_after();
    if (case_.endorsements.amd_crl.empty()) return std::nullopt;
    std::vector<ByteVector> serials;
    for (const Certificate& certificate : chain.value->path) {
      serials.push_back(copy_of(certificate.serial()));
    }
    return check_revocation(chain.value->keys.back(), chain.value->root().subject(), serials);
  }

  Check check_revocation(const PublicKey& root, std::optional<Bytes> name,
                         const std::vector<ByteVector>& serials) {
    const Result<Crl> parsed = Crl::parse(case_.endorsements.amd_crl);
    if (!parsed.ok()) return refuse(Rule::collateral_format, "a malformed AMD CRL", "DER");
    const Crl& crl = parsed.value();
    if (name && !std::ranges::equal(crl.issuer(), *name)) {
      return refuse(Rule::crl_issuer, "a CRL of another authority", "the root's");
    }
    if (!crl.check_signature(root).ok()) {
      return refuse(Rule::crl_signature, "an AMD CRL whose signature fails", "the root's");
    }
    if (!crl.valid_at(case_.now)) {
      return refuse(Rule::collateral_expired,
                    "AMD CRL valid from " + time_text(crl.this_update()) + " to " +
                        time_text(crl.next_update()),
                    "collateral that is valid at " + time_text(case_.now));
    }
    for (const ByteVector& serial : serials) {
      // AMD gives every VCEK the serial number 0: it names none of them.
      if (is_zero(serial) || !crl.lists(serial)) continue;
      return refuse(Rule::revoked, "the certificate with serial number " + hex_encode(serial),
                    "a certificate that is not on AMD's CRL");
    }
    checked_revocation_ = true;
    if (crl.next_update() < *verdict_.expires) verdict_.expires = crl.next_update();
    return std::nullopt;
  }

  Check check_vek_fields() {
    const SnpTcb reported = tcb_of(report_.reported_tcb, product_);
    const std::pair<const Oid*, std::uint8_t> fields[] = {{&kBootLoader, reported.boot_loader},
                                                          {&kTee, reported.tee},
                                                          {&kSnp, reported.snp},
                                                          {&kMicrocode, reported.microcode}};
    bool matches = product_ != AmdProduct::turin || svn_of(*vek_, kFmc) == reported.fmc;
    for (const auto& [oid, svn] : fields) matches = matches && svn_of(*vek_, *oid) == svn;
    if (!matches) {
      return refuse(Rule::vek_tcb, "a report of " + tcb_text(reported),
                    "the TCB that the VCEK or VLEK was made for");
    }
    const auto hardware = vek_->extension(kHardwareId);
    const bool chip_is_zero = is_zero(report_.chip_id);
    if (is_vlek_) {
      if (hardware || !chip_is_zero || !vek_->extension(kProvider)) {
        return refuse(Rule::chip_id, "a VLEK with a chip, or without a provider",
                      "no hardware identity, a chip_id of zeros and a named provider");
      }
      return std::nullopt;
    }
    const Bytes id = hardware ? hardware_id(*hardware) : Bytes();
    const bool fits = id.size() == 64 || (product_ == AmdProduct::turin && id.size() == 8);
    const bool same = fits && !chip_is_zero &&
                      std::ranges::equal(id, report_.chip_id.first(id.size())) &&
                      is_zero(report_.chip_id.subspan(id.size()));
    if (!same) {
      return refuse(Rule::chip_id, hex_encode(report_.chip_id),
                    "the VCEK's chip " + hex_encode(id));
    }
    return std::nullopt;
  }

  void add(Rule rule, std::string seen, std::string expected) {
    verdict_.refusals.push_back({rule, std::move(seen), std::move(expected)});
  }

  void judge_platform() {
    const Policy& policy = case_.policy;
    if (is_vlek_ && !policy.allow_vlek) add(Rule::signing_key, "a VLEK", "a VCEK");
    if (report_.vmpl > policy.vmpl_max) {
      add(Rule::vmpl, std::to_string(report_.vmpl),
          "privilege level " + std::to_string(policy.vmpl_max) + " or better");
    }
    if (report_.migration_agent() && !policy.allow_migration_agent) {
      add(Rule::migration_agent, "a guest that a migration agent may move",
          "none, or allow_migration_agent");
    }
    if (!checked_revocation_) {
      verdict_.not_proven.push_back("that AMD did not revoke its keys: no revocation list given");
    }
    const auto minimum = policy.snp_minimum_tcb.find(name_of(product_));
    if (minimum == policy.snp_minimum_tcb.end()) return;
    for (const Bytes version :
         {report_.reported_tcb, report_.committed_tcb, report_.launch_tcb}) {
      const SnpTcb tcb = tcb_of(version, product_);
      if (reaches(tcb, minimum->second)) continue;
      add(Rule::minimum_tcb, tcb_text(tcb), "at least " + tcb_text(minimum->second));
      return;
    }
  }

  const Case& case_;
  Verdict verdict_;
  SnpReport report_;
  std::optional<Certificate> vek_;
  AmdProduct product_ = AmdProduct::milan;
  bool is_vlek_ = false;
  bool checked_revocation_ = false;
};

}  // namespace

Verdict judge_snp(Bytes report, const Case& the_case) { return SnpJudge(the_case).judge(report); }

}  // namespace cloister
