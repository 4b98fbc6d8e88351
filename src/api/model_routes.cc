// The routes that change what is stored or loaded.
#include <utility>

#include "api/api_handler.h"
#include "api/body_limits.h"
#include "api/exchange.h"
#include "api/load_body.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

Concerned about(const VersionRecord& record) {
  return {record.ref.model, record.ref.version, record.sha256, {}};
}

}  // namespace

HttpResponse ApiHandler::upload(Exchange& exchange) {
  const auto model = parts_.models.resolve(*exchange.caller, exchange.route.name);
  if (!model.ok()) return ErrorResponse::of(model.error());
  auto claimed = claimed_digest(exchange.head);
  if (!claimed.ok()) return ErrorResponse::of(claimed.error());
  ReceivedModel received;
  received.memory = std::move(exchange.body.memory);
  received.size = exchange.body.size;
  received.claimed_sha256 = claimed.value();
  const VersionRef ref{model.value(), *exchange.route.version};
  if (ref.model.owner == exchange.caller->id()) {
    exchange.concerned = {ref.model, ref.version, {}, {}};
  }
  const bool sealed =
      SealedUploads::is_sealed(std::as_const(received.memory).bytes().first(received.size));
  if (sealed) {
    const Status opened = parts_.sealed.open_upload(*exchange.caller, ref, received);
    if (!opened.ok()) return ErrorResponse::of(opened.error());
  }
  const auto outcome = parts_.models.upload(*exchange.caller, ref, std::move(received));
  if (!outcome.ok()) return ErrorResponse::of(outcome.error());
  if (!outcome.value().findings.empty())
    return ErrorResponse::of_findings(outcome.value().findings);
  if (sealed && !outcome.value().created) {
    return ErrorResponse::of(Error{Code::conflict, "api.sealed_again",
                                   Detail("this sealed model was admitted already")});
  }
  exchange.concerned->sha256 = outcome.value().stored->sha256;
  return json_response(outcome.value().created ? 201 : 200,
                       version_json(model.value().name, *outcome.value().stored,
                                    VersionState::stored));
}

HttpResponse ApiHandler::erase(Exchange& exchange) {
  const auto record = find_model(exchange, std::nullopt);
  if (!record.ok()) return ErrorResponse::of(record.error());
  exchange.concerned = about(record.value());
  const auto erased = parts_.models.erase(*exchange.caller, record.value());
  if (!erased.ok()) return ErrorResponse::of(erased.error());
  std::string json;
  JsonWriter(json)
      .begin_object()
      .key("name")
      .text(record.value().ref.model.name)
      .key("version")
      .text(std::to_string(record.value().ref.version.value))
      .key("erasure")
      .text(erased.value() == Erasure::bounded_by_anchor ? "bounded-by-anchor" : "not-anchored")
      .end_object();
  return json_response(200, std::move(json));
}

HttpResponse ApiHandler::load(Exchange& exchange) {
  const auto model = parts_.models.resolve(*exchange.caller, exchange.route.name);
  if (!model.ok()) return ErrorResponse::of(model.error());
  std::optional<HttpResponse> refused;
  const auto version = take_override(exchange, model.value(), refused);
  if (refused) return std::move(*refused);
  if (!version.ok()) return ErrorResponse::of(version.error());
  const auto record =
      parts_.models.find_served(*exchange.caller, model.value(), version.value(), Right::manage);
  if (!record.ok()) return ErrorResponse::of(record.error());
  exchange.concerned = about(record.value());
  const Status loaded = parts_.models.load(*exchange.caller, record.value());
  return loaded.ok() ? json_response(200, "{}") : ErrorResponse::of(loaded.error());
}

Result<std::optional<VersionNumber>> ApiHandler::take_override(
    Exchange& exchange, const ModelId& model, std::optional<HttpResponse>& refused) {
  CLOISTER_ASSIGN(LoadRequest request,
                  read_load_body(exchange.body.bytes(), settings_.upload_bytes_max));
  exchange.body.memory = PrivateMemory();
  std::optional<VersionNumber> version;
  if (request.file) {
    version = request.file->version;
    ReceivedModel received;
    received.memory = std::move(request.file->memory);
    received.size = request.file->size;
    CLOISTER_ASSIGN(const UploadOutcome outcome,
                    parts_.models.upload(*exchange.caller, {model, *version}, std::move(received)));
    if (!outcome.findings.empty()) {
      refused = ErrorResponse::of_findings(outcome.findings);
      return version;
    }
    exchange.concerned = about(*outcome.stored);
    CLOISTER_TRY(note(exchange, AuditAction::version_uploaded, AuditOutcome::done));
  }
  if (request.options) {
    CLOISTER_ASSIGN(const VersionRecord newest,
                    parts_.models.find(*exchange.caller, model, std::nullopt, std::nullopt));
    CLOISTER_TRY(parts_.models.set_options(*exchange.caller, newest, *request.options));
  }
  return version;
}

HttpResponse ApiHandler::unload(Exchange& exchange) {
  const auto model = parts_.models.resolve(*exchange.caller, exchange.route.name);
  if (!model.ok()) return ErrorResponse::of(model.error());
  const auto newest =
      parts_.models.find(*exchange.caller, model.value(), std::nullopt, Right::manage);
  if (!newest.ok()) return ErrorResponse::of(newest.error());
  exchange.concerned = {newest.value().ref.model, {}, {}, {}};
  // The protocol unloads a model, not a version: all of them go.
  for (const VersionNumber version : parts_.models.versions_of(*exchange.caller, model.value())) {
    const auto record =
        parts_.models.find(*exchange.caller, model.value(), version, Right::manage);
    if (!record.ok()) continue;
    const Status unloaded = parts_.models.unload(*exchange.caller, record.value());
    if (!unloaded.ok()) return ErrorResponse::of(unloaded.error());
  }
  return json_response(200, "{}");
}

}  // namespace cloister
