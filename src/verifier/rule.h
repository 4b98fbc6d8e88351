#pragma once

namespace cloister {

/// Every rule that can refuse evidence; docs/attestation.md has each beside its source clause.
enum class Rule {
  // What is judged
  format,              ///< bytes that do not parse, or a length out of its bounds
  unsupported,         ///< a version, key type or quote form that is not judged
  kind,                ///< a kind that the policy does not accept
  simulation,          ///< simulated evidence without the explicit permission
  // Certificates
  certificate,         ///< the server's certificate is malformed or carries no evidence
  certificate_signature,
  certificate_validity,
  chain,               ///< a certificate chain that does not lead to the pinned root
  chain_validity,      ///< a certificate in it is not valid at the time
  revoked,             ///< a certificate in it is on its issuer's list
  // Bindings
  claims,              ///< claims that do not parse, or that the report data does not cover
  pubkey_hash,         ///< the evidence vouches for another key
  nonce,
  tls_exporter,        ///< another connection's: somebody in the middle
  configuration_text,  ///< the configuration shown is not the one in the claims
  // Intel
  quote_signature,
  qe_hash,
  qe_signature,
  qe_debug,
  pck_extension,
  collateral_missing,
  collateral_format,
  collateral_signature,
  collateral_expired,
  collateral_issuer,
  collateral_age,
  crl_signature,
  crl_issuer,
  evaluation_number,
  tcb_info_id,
  fmspc,
  pceid,
  qe_identity_id,
  qe_identity,
  tdx_module,
  tcb_status,
  advisory,
  sept_ve_disable,
  migratable,
  service_td,
  // AMD
  report_version,
  report_signature_algorithm,
  report_signature,
  signing_key,         ///< not the kind of key that the report names
  vek_tcb,             ///< the VCEK or VLEK is for another TCB
  chip_id,
  product,
  minimum_tcb,
  vmpl,
  migration_agent,
  // TPM and Azure
  tpm_magic,
  tpm_type,            ///< an attestation that is no quote
  tpm_nonce,
  tpm_signature,
  pcr_selection,
  pcr_digest,
  ak_public,           ///< the attestation key's public area is missing or malformed
  ak_not_restricted,
  ak_name,
  tpm_alone,           ///< a TPM quote proves a measured boot, not an enclave
  hcl_report,
  hcl_binding,
  // Simulation
  simulated_signature,
  // Policy
  debug,
  measurement,
  configuration,
  software,
  isolation,
  sandbox,
  anchor,
  setting,             ///< a member of the configuration text
  pcr,
  not_pinned,          ///< the policy pins nothing that names the code
};

/// The rule's name in verdicts and documentation ("quote-signature"); stable.
const char* name_of(Rule rule) noexcept;

}  // namespace cloister
