#include <optional>
#include <string>

#include "client/collateral.h"
#include "commands.h"
#include "encoding/json_writer.h"
#include "local_files.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

/// The evidence that the options name: recorded, or in the certificate of the server. Nobody is
/// trusted for it here: it says for which platform collateral is needed.
Result<RecordedEvidence> evidence_of(const Options& options) {
  if (!options.evidence.empty()) return read_recorded(options);
  CLOISTER_ASSIGN(const ServerUrl url, parse_server_url(options.server));
  CLOISTER_ASSIGN(const auto connection, connect_tls(url, {}));
  RecordedEvidence recorded;
  recorded.files["certificate.der"] = connection->peer_certificate();
  return recorded;
}

Result<CollateralServices> services_of(const Options& options) {
  CollateralServices services;
  if (!options.intel_service.empty()) {
    CLOISTER_ASSIGN(services.intel, parse_server_url(options.intel_service));
    services.intel_root.reset();
  }
  if (!options.amd_service.empty()) {
    CLOISTER_ASSIGN(services.amd, parse_server_url(options.amd_service));
  }
  services.amd_product = options.product;
  return services;
}

AskService ask_with(const Options& options) {
  return [&options](const ServerUrl& service,
                    const std::string& target) -> Result<ClientResponse> {
    ConnectionSettings settings;
    settings.public_service = true;
    settings.roots_file = options.service_roots;
    settings.stall_time_max = std::chrono::seconds(30);
    CLOISTER_ASSIGN(const auto connection, connect_tls(service, settings));
    return answer_in_memory({}, kCollateralDocumentMax, [&](BodySource& body, AnswerSink& sink) {
      return connection->stream({"GET", target, {}}, &body, sink);
    });
  };
}

/// Whether collateral made the verdict what it can be: what refuses then is not the collateral.
bool is_settled(const Verdict& verdict) {
  for (const Refusal& each : verdict.refusals) {
    const std::string rule = name_of(each.rule);
    if (rule.starts_with("collateral") || rule.starts_with("crl")) return false;
  }
  return verdict.authentic;
}

Outcome report(const Options& options, const Verdict& verdict, std::size_t files, bool fetched) {
  const std::string until = verdict.expires ? time_text(*verdict.expires) : "";
  if (options.json) {
    std::string json;
    JsonWriter(json).begin_object().key("output").text(options.output)
        .key("fetched").boolean(fetched).key("expires").text(until)
        .key("tcb_status").text(name_of(verdict.tcb_status)).end_object();
    print_line(json);
    return Outcome::done;
  }
  print_line((fetched ? "wrote " + std::to_string(files) + " documents to " : "still good: ") +
             printable(options.output) + (until.empty() ? "" : ", good until " + until));
  return Outcome::done;
}

/// The verdict with what was fetched before, if that still holds.
std::optional<Verdict> kept_verdict(const Options& options, const RecordedEvidence& recorded,
                                    UtcSeconds now) {
  const auto text = read_local_file(options.output, kCollateralBundleMax);
  if (!text.ok()) return std::nullopt;
  const auto files = read_collateral_bundle(text_of(text.value()));
  if (!files.ok()) return std::nullopt;
  Verdict verdict = judge_recorded_evidence(recorded, endorsements_of(files.value()), {}, now);
  if (!is_settled(verdict)) return std::nullopt;
  return verdict;
}

}  // namespace

Outcome fetch_collateral_for(const Options& options, Tools& tools) {
  const auto now = time_to_judge(options, tools);
  if (!now.ok()) return ConsoleReport::failed(now.error());
  const auto services = services_of(options);
  if (!services.ok()) return ConsoleReport::failed(services.error());
  const auto recorded = evidence_of(options);
  if (!recorded.ok()) return ConsoleReport::failed(recorded.error());
  if (!options.renew) {
    const auto kept = kept_verdict(options, recorded.value(), now.value());
    if (kept) return report(options, *kept, 0, false);
  }
  const Verdict before = judge_recorded_evidence(recorded.value(), {}, {}, now.value());
  const auto files = fetch_collateral(before, services.value(), ask_with(options));
  if (!files.ok()) return ConsoleReport::failed(files.error());
  const Verdict after = judge_recorded_evidence(recorded.value(), endorsements_of(files.value()),
                                                {}, now.value());
  if (!is_settled(after)) {
    print_text(printable(verdict_text(after)));
    return ConsoleReport::failed(
        Error{Code::unverified, "cli.collateral",
              Detail("what the service gave does not hold for this evidence: nothing is stored")});
  }
  const std::string bundle = write_collateral_bundle(files.value(), now.value(), after.expires);
  const Status written = write_local_file(options.output, bytes_of(bundle), tools.entropy);
  if (!written.ok()) return ConsoleReport::failed(written.error());
  return report(options, after, files.value().size(), true);
}

}  // namespace cloister
