#include "verifier/rule.h"

#include <array>
#include <utility>

namespace cloister {
namespace {

constexpr auto kNames = std::to_array<std::pair<Rule, const char*>>({
    {Rule::format, "format"},
    {Rule::unsupported, "unsupported"},
    {Rule::kind, "kind"},
    {Rule::simulation, "simulation"},
    {Rule::certificate, "certificate"},
    {Rule::certificate_signature, "certificate-signature"},
    {Rule::certificate_validity, "certificate-validity"},
    {Rule::chain, "chain"},
    {Rule::chain_validity, "chain-validity"},
    {Rule::revoked, "revoked"},
    {Rule::claims, "claims"},
    {Rule::pubkey_hash, "pubkey-hash"},
    {Rule::nonce, "nonce"},
    {Rule::tls_exporter, "tls-exporter"},
    {Rule::configuration_text, "configuration-text"},
    {Rule::quote_signature, "quote-signature"},
    {Rule::qe_hash, "qe-hash"},
    {Rule::qe_signature, "qe-signature"},
    {Rule::qe_debug, "qe-debug"},
    {Rule::pck_extension, "pck-extension"},
    {Rule::collateral_missing, "collateral-missing"},
    {Rule::collateral_format, "collateral-format"},
    {Rule::collateral_signature, "collateral-signature"},
    {Rule::collateral_expired, "collateral-expired"},
    {Rule::collateral_issuer, "collateral-issuer"},
    {Rule::collateral_age, "collateral-age"},
    {Rule::crl_signature, "crl-signature"},
    {Rule::crl_issuer, "crl-issuer"},
    {Rule::evaluation_number, "evaluation-number"},
    {Rule::tcb_info_id, "tcb-info-id"},
    {Rule::fmspc, "fmspc"},
    {Rule::pceid, "pceid"},
    {Rule::qe_identity_id, "qe-identity-id"},
    {Rule::qe_identity, "qe-identity"},
    {Rule::tdx_module, "tdx-module"},
    {Rule::tcb_status, "tcb-status"},
    {Rule::advisory, "advisory"},
    {Rule::sept_ve_disable, "sept-ve-disable"},
    {Rule::migratable, "migratable"},
    {Rule::service_td, "service-td"},
    {Rule::report_version, "report-version"},
    {Rule::report_signature_algorithm, "report-signature-algorithm"},
    {Rule::report_signature, "report-signature"},
    {Rule::signing_key, "signing-key"},
    {Rule::vek_tcb, "vek-tcb"},
    {Rule::chip_id, "chip-id"},
    {Rule::product, "product"},
    {Rule::minimum_tcb, "minimum-tcb"},
    {Rule::vmpl, "vmpl"},
    {Rule::migration_agent, "migration-agent"},
    {Rule::tpm_magic, "magic"},
    {Rule::tpm_type, "type"},
    {Rule::tpm_nonce, "tpm-nonce"},
    {Rule::tpm_signature, "tpm-signature"},
    {Rule::pcr_selection, "pcr-selection"},
    {Rule::pcr_digest, "pcr-digest"},
    {Rule::ak_public, "ak-public"},
    {Rule::ak_not_restricted, "ak-not-restricted"},
    {Rule::ak_name, "ak-name"},
    {Rule::tpm_alone, "tpm-alone"},
    {Rule::hcl_report, "hcl-report"},
    {Rule::hcl_binding, "hcl-binding"},
    {Rule::simulated_signature, "simulated-signature"},
    {Rule::debug, "debug"},
    {Rule::measurement, "measurement"},
    {Rule::configuration, "configuration"},
    {Rule::software, "software"},
    {Rule::isolation, "isolation"},
    {Rule::sandbox, "sandbox"},
    {Rule::anchor, "anchor"},
    {Rule::setting, "setting"},
    {Rule::pcr, "pcr"},
    {Rule::not_pinned, "not-pinned"},
});

}  // namespace

const char* name_of(Rule rule) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == rule) return name;
  }
  return "";
}

}  // namespace cloister
