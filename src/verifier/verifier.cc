#include "verifier/verifier.h"

#include <algorithm>

#include "crypto/x509.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "verifier/judge.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

// Older Gramine releases encoded their identifier wrongly; it reads as 0.6.9.42.840.113741.1337.6.
constexpr std::array<std::byte, 11> kLegacyGramine{
    std::byte{0x06}, std::byte{0x09}, std::byte{0x2A}, std::byte{0x86},
    std::byte{0x48}, std::byte{0x86}, std::byte{0xF8}, std::byte{0x4D},
    std::byte{0x8A}, std::byte{0x39}, std::byte{0x06}};
constexpr std::size_t kAnswerBytesMax = 512 * 1024;

Verdict refused(Rule rule, std::string seen, std::string expected) {
  Verdict verdict;
  verdict.refusals.push_back({rule, std::move(seen), std::move(expected)});
  return verdict;
}

Verdict with(Verdict verdict, Rule rule, std::string seen, std::string expected) {
  verdict.refusals.push_back({rule, std::move(seen), std::move(expected)});
  return verdict;
}

void expire_at(Verdict& verdict, UtcSeconds time) {
  if (!verdict.expires || time < *verdict.expires) verdict.expires = time;
}

/// A certificate of an older Gramine: the quote alone, over SHA-256 of the public key's point.
Verdict judge_legacy(const Certificate& certificate, Bytes quote, const Case& the_case) {
  Verdict verdict = judge_quote(quote, the_case);
  const Bytes spki = certificate.spki();
  ReportData expected{};
  std::ranges::copy(sha256(spki), expected.begin());
  verdict.pubkey_hash = sha256(spki);
  if (verdict.report_data != expected) {
    return with(std::move(verdict), Rule::pubkey_hash, hex_encode(verdict.report_data),
                "the certificate's key " + hex_encode(expected));
  }
  return verdict;
}

std::optional<ByteVector> decoded_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  const auto text = member == nullptr ? std::nullopt : member->text();
  if (!text) return std::nullopt;
  Result<ByteVector> bytes = base64_decode(*text);
  if (!bytes.ok()) return std::nullopt;
  return std::move(bytes).value();
}

Verdict bind_configuration(Verdict verdict, std::string_view text) {
  const Sha256Digest seen = sha256(bytes_of(text));
  if (!verdict.claims || verdict.claims->configuration != seen) {
    const bool claimed = verdict.claims && verdict.claims->configuration;
    return with(std::move(verdict), Rule::configuration_text, "a text with " + hex_encode(seen),
                claimed ? "the digest in the claims" : "a claim of the configuration");
  }
  verdict.configuration = text;
  return verdict;
}

}  // namespace

Verdict judge_envelope(const EvidenceEnvelope& envelope, const Case& the_case) {
  switch (envelope.kind) {
    case EvidenceKind::simulated: return judge_simulated(envelope.evidence);
    case EvidenceKind::sgx:
    case EvidenceKind::tdx: return judge_quote(envelope.evidence, the_case);
    case EvidenceKind::snp: {
      const Endorsements all =
          with_certificate_table(the_case.endorsements, envelope.endorsements);
      return judge_snp(envelope.evidence,
                       {all, the_case.policy, the_case.anchors, the_case.now});
    }
    default: break;
  }
  const auto files = read_evidence_files(envelope.evidence);
  if (!files.ok()) {
    return refused(Rule::format, "evidence that does not parse", "a CBOR map of byte strings");
  }
  if (envelope.kind == EvidenceKind::tpm) {
    return judge_tpm(tpm_evidence_of(files.value(), "quote"), the_case);
  }
  const Verdict verdict = judge_azure(azure_evidence_of(files.value()), the_case);
  if (verdict.kind != envelope.kind) {
    return refused(Rule::kind, name_of(*verdict.kind), name_of(envelope.kind));
  }
  return verdict;
}

Verdict bind_claims(Verdict verdict, Bytes claims) {
  if (!verdict.authentic) return verdict;
  const Result<Claims> read = read_claims(claims);
  if (!read.ok()) {
    return with(std::move(verdict), Rule::claims, "claims that do not parse",
                "a CBOR map with pubkey-hash");
  }
  const ReportData expected = report_data_of(claims);
  if (verdict.report_data != expected) {
    const std::string seen = "report data " + hex_encode(verdict.report_data);
    return with(std::move(verdict), Rule::claims, seen,
                "SHA-256 of the claims " + hex_encode(expected));
  }
  verdict.claims = read.value();
  verdict.pubkey_hash = read.value().pubkey_hash;
  return verdict;
}

Verdict bind_channel(Verdict verdict, const Channel& channel) {
  if (!verdict.authentic) return verdict;
  const Claims claims = verdict.claims.value_or(Claims{});
  if (channel.spki && sha256(*channel.spki) != claims.pubkey_hash) {
    verdict = with(std::move(verdict), Rule::pubkey_hash,
                   "evidence for the key " + hex_encode(claims.pubkey_hash),
                   "the connection's key " + hex_encode(sha256(*channel.spki)));
  }
  if (channel.nonce) {
    verdict.fresh = claims.nonce == channel.nonce;
    if (!verdict.fresh) {
      verdict = with(std::move(verdict), Rule::nonce,
                     claims.nonce ? hex_encode(*claims.nonce) : "no nonce",
                     hex_encode(*channel.nonce) + " (evidence made for this request)");
    }
  }
  if (channel.tls_exporter) {
    verdict.channel_bound = claims.tls_exporter == channel.tls_exporter;
    if (!verdict.channel_bound) {
      verdict = with(std::move(verdict), Rule::tls_exporter,
                     claims.tls_exporter ? "another connection's exporter" : "no exporter",
                     "this connection's: somebody may sit in the middle");
    }
  }
  return verdict;
}

Verdict verify_certificate(Bytes der, const Endorsements& endorsements, const Policy& policy,
                           UtcSeconds now) {
  const Result<Certificate> parsed = Certificate::parse(der);
  if (!parsed.ok()) {
    return refused(Rule::certificate, "bytes that do not parse", "an X.509 certificate");
  }
  const Certificate& certificate = parsed.value();
  const Case the_case{endorsements, policy, production_anchors(), now};
  const auto carried = certificate.extension(kEvidenceExtension);
  const auto legacy = policy.allow_legacy_gramine ? certificate.extension(kLegacyGramine)
                                                  : std::optional<Bytes>();
  Verdict verdict;
  if (carried) {
    const Result<EvidenceEnvelope> envelope = read_envelope(*carried);
    if (!envelope.ok()) {
      return refused(Rule::certificate, "an evidence extension that does not parse",
                     "tagged evidence or a CMW record");
    }
    verdict = judge_envelope(envelope.value(), the_case);
    verdict = bind_claims(std::move(verdict), envelope.value().claims);
    verdict = bind_channel(std::move(verdict), {copy_of(certificate.spki()), {}, {}});
  } else if (legacy) {
    verdict = judge_legacy(certificate, *legacy, the_case);
  } else {
    return refused(Rule::certificate, "a certificate without evidence",
                   "the extension 2.23.133.5.4.9");
  }
  const Result<PublicKey> key = PublicKey::from_spki(certificate.spki());
  if (!key.ok() || !certificate.check_signature(key.value()).ok()) {
    verdict = with(std::move(verdict), Rule::certificate_signature,
                   "a signature that does not hold", "one by the certificate's own key");
  }
  if (!certificate.valid_at(now)) {
    verdict = with(std::move(verdict), Rule::certificate_validity,
                   time_text(now) + " is outside of " + time_text(certificate.not_before()) +
                       " to " + time_text(certificate.not_after()),
                   "a certificate that is valid now");
  }
  expire_at(verdict, certificate.not_after());
  return judge_policy(std::move(verdict), policy, now);
}

Verdict verify_answer(std::string_view answer, const Channel& channel,
                      const Endorsements& endorsements, const Policy& policy, UtcSeconds now) {
  const Result<JsonValue> parsed = parse_json(answer, {kAnswerBytesMax, 4, 64});
  if (!parsed.ok()) {
    return refused(Rule::format, "an answer that does not parse", "a JSON object of strings");
  }
  const JsonValue& object = parsed.value();
  const JsonValue* tee = object.find("tee");
  const JsonValue* configuration = object.find("configuration");
  const auto kind = tee == nullptr ? std::nullopt
                                   : evidence_kind_of(tee->text().value_or(std::string_view()));
  auto evidence = decoded_member(object, "evidence");
  auto claims = decoded_member(object, "claims");
  auto made_along = decoded_member(object, "endorsements");
  const auto spki = decoded_member(object, "cert_spki");
  if (!kind || !evidence || !claims || !made_along || !spki || configuration == nullptr ||
      !configuration->text()) {
    return refused(Rule::format, "an answer with a missing or malformed member",
                   "tee, evidence, claims, endorsements, cert_spki and configuration");
  }
  const Case the_case{endorsements, policy, production_anchors(), now};
  const EvidenceEnvelope envelope{*kind, std::move(*evidence), std::move(*claims),
                                  std::move(*made_along)};
  Verdict verdict = judge_envelope(envelope, the_case);
  verdict = bind_claims(std::move(verdict), envelope.claims);
  verdict = bind_channel(std::move(verdict), {*spki, {}, {}});
  verdict = bind_channel(std::move(verdict), channel);
  verdict = bind_configuration(std::move(verdict), *configuration->text());
  return judge_policy(std::move(verdict), policy, now);
}

}  // namespace cloister
