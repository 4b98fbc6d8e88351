#include "verifier/verdict.h"

#include <algorithm>
#include <array>
#include <utility>

#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr auto kStatusNames = std::to_array<std::pair<TcbStatus, const char*>>({
    {TcbStatus::up_to_date, "UpToDate"},
    {TcbStatus::sw_hardening_needed, "SWHardeningNeeded"},
    {TcbStatus::configuration_needed, "ConfigurationNeeded"},
    {TcbStatus::configuration_and_sw_hardening_needed, "ConfigurationAndSWHardeningNeeded"},
    {TcbStatus::out_of_date, "OutOfDate"},
    {TcbStatus::out_of_date_configuration_needed, "OutOfDateConfigurationNeeded"},
    {TcbStatus::td_relaunch_advised, "TDRelaunchAdvised"},
    {TcbStatus::td_relaunch_advised_configuration_needed, "TDRelaunchAdvisedConfigurationNeeded"},
    {TcbStatus::revoked, "Revoked"},
    {TcbStatus::not_supported, "NotSupported"},
});

void write_digest(JsonWriter& json, const char* key, const std::optional<Sha256Digest>& digest) {
  if (digest) json.key(key).text(hex_encode(*digest));
}

void write_claims_json(JsonWriter& json, const Claims& claims) {
  json.begin_object();
  json.key("pubkey_hash").text(hex_encode(claims.pubkey_hash));
  if (claims.nonce) json.key("nonce").text(hex_encode(*claims.nonce));
  if (claims.tls_exporter) json.key("tls_exporter").text(hex_encode(*claims.tls_exporter));
  if (claims.purpose) json.key("purpose").text(*claims.purpose);
  write_digest(json, "configuration", claims.configuration);
  write_digest(json, "software", claims.software);
  if (claims.isolation) json.key("isolation").text(*claims.isolation);
  if (claims.sandbox) json.key("sandbox").text(*claims.sandbox);
  if (claims.anchor) json.key("anchor").text(*claims.anchor);
  write_digest(json, "receipt_key", claims.receipt_key);
  write_digest(json, "hpke_key", claims.hpke_key);
  if (claims.epoch) json.key("epoch").unsigned_integer(*claims.epoch);
  json.end_object();
}

void write_texts(JsonWriter& json, const char* key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.text(text);
  json.end_array();
}

void write_refusals(JsonWriter& json, const std::vector<Refusal>& refusals) {
  json.key("refusals").begin_array();
  for (const Refusal& refusal : refusals) {
    json.begin_object();
    json.key("rule").text(name_of(refusal.rule));
    json.key("seen").text(refusal.seen);
    json.key("expected").text(refusal.expected);
    json.end_object();
  }
  json.end_array();
}

std::string who(const Verdict& verdict) {
  if (verdict.kind == EvidenceKind::simulated) return "nobody: a simulated platform";
  return std::string("genuine ") + name_of(*verdict.kind) + " hardware";
}

std::string claim_lines(const Claims& claims) {
  std::string out;
  if (claims.software) out += "software       " + hex_encode(*claims.software) + "\n";
  if (claims.configuration) {
    out += "configuration  " + hex_encode(*claims.configuration) + "\n";
  }
  if (claims.isolation) out += "isolation      " + *claims.isolation + "\n";
  if (claims.sandbox) out += "sandbox        " + *claims.sandbox + "\n";
  if (claims.anchor) out += "anchor         " + *claims.anchor + "\n";
  return out;
}

}  // namespace

const char* name_of(TcbStatus status) noexcept {
  for (const auto& [known, name] : kStatusNames) {
    if (known == status) return name;
  }
  return "";
}

std::optional<TcbStatus> tcb_status_of(std::string_view name) noexcept {
  for (const auto& [status, known] : kStatusNames) {
    if (known == name) return status;
  }
  return std::nullopt;
}

std::string verdict_json(const Verdict& verdict) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("accepted").boolean(verdict.accepted());
  json.key("authentic").boolean(verdict.authentic);
  json.key("kind").text(verdict.kind ? name_of(*verdict.kind) : "unknown");
  if (!verdict.refusals.empty()) json.key("rule").text(name_of(verdict.refusals.front().rule));
  write_refusals(json, verdict.refusals);
  if (verdict.tcb_status != TcbStatus::not_judged) {
    json.key("tcb_status").text(name_of(verdict.tcb_status));
    json.key("tcb_date").text(verdict.tcb_date);
    json.key("qe_status").text(verdict.qe_status);
    if (!verdict.module_id.empty()) {
      json.key("module").text(verdict.module_id);
      json.key("module_status").text(verdict.module_status);
    }
  }
  write_texts(json, "advisories", verdict.advisories);
  json.key("debug").boolean(verdict.debug);
  json.key("measurements").begin_object();
  for (const Measurement& measurement : verdict.measurements) {
    json.key(measurement.name).text(measurement.value);
  }
  json.end_object();
  json.key("report_data").text(hex_encode(verdict.report_data));
  if (verdict.claims) write_claims_json(json.key("claims"), *verdict.claims);
  if (verdict.pubkey_hash) {
    json.key("pin").text("sha256//" + base64_encode(*verdict.pubkey_hash));
  }
  if (verdict.expires) json.key("expires").text(time_text(*verdict.expires));
  json.key("fresh").boolean(verdict.fresh);
  json.key("channel_bound").boolean(verdict.channel_bound);
  write_texts(json, "not_proven", verdict.not_proven);
  json.end_object();
  return out;
}

std::string verdict_text(const Verdict& verdict) {
  std::string out = verdict.accepted() ? "ACCEPTED\n" : "REFUSED\n";
  for (const Refusal& refusal : verdict.refusals) {
    out += std::string("refused by     ") + name_of(refusal.rule) + ": seen " + refusal.seen +
           ", expected " + refusal.expected + "\n";
  }
  out += "vouched for by " +
         (verdict.authentic ? who(verdict) : std::string("nobody: the evidence does not hold")) +
         "\n";
  if (verdict.tcb_status != TcbStatus::not_judged) {
    out += std::string("platform       ") + name_of(verdict.tcb_status);
    for (const std::string& advisory : verdict.advisories) out += " " + advisory;
    out += "\n";
  }
  if (verdict.debug) out += "debug          on: the host can read everything\n";
  for (const Measurement& measurement : verdict.measurements) {
    out += measurement.name;
    out.append(measurement.name.size() < 14 ? 15 - measurement.name.size() : 1, ' ');
    out += measurement.value + "\n";
  }
  if (verdict.claims) out += claim_lines(*verdict.claims);
  out += std::string("fresh          ") + (verdict.fresh ? "yes, made for this request" : "no") +
         "\n";
  out += std::string("this channel   ") + (verdict.channel_bound ? "yes" : "not bound") + "\n";
  if (verdict.expires) out += "holds until    " + time_text(*verdict.expires) + "\n";
  for (const std::string& sentence : verdict.not_proven) out += "not proven     " + sentence + "\n";
  return out;
}

}  // namespace cloister
