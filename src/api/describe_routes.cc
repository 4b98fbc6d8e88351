// The routes that say what is stored, how it is served and what it did.
#include <algorithm>
#include <utility>

#include "api/api_handler.h"
#include "api/exchange.h"
#include "api/model_answers.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

std::vector<VersionState> states_of(const std::vector<VersionRecord>& records,
                                    const Models& models) {
  std::vector<VersionState> states;
  for (const VersionRecord& each : records) {
    const bool quarantined = models.standing(each.ref) == Standing::quarantined;
    states.push_back(quarantined                     ? VersionState::quarantined
                     : models.is_resident(each.ref) ? VersionState::loaded
                                                     : VersionState::stored);
  }
  return states;
}

/// `{"ready": true}` in a request for the repository's index.
Result<bool> asks_for_ready(Bytes body) {
  if (body.empty()) return false;
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  const JsonValue* ready = root.find("ready");
  if (!root.is_object() || (ready != nullptr && !ready->boolean())) {
    return Error{Code::invalid, "api.index", Detail("expected {\"ready\": true or false}")};
  }
  return ready != nullptr && *ready->boolean();
}

}  // namespace

HttpResponse ApiHandler::list_models(Exchange& exchange) {
  const auto records = parts_.models.list(*exchange.caller);
  const auto states = states_of(records, parts_.models);
  if (exchange.route.kind == RouteKind::list_models) {
    std::vector<std::string> names;
    for (const VersionRecord& each : records) {
      names.push_back(Models::name_for(*exchange.caller, each.ref.model));
    }
    return json_response(200, model_list_json(names, records, states));
  }
  const auto ready_only = asks_for_ready(exchange.body.bytes());
  if (!ready_only.ok()) return ErrorResponse::of(ready_only.error());
  std::vector<IndexEntry> entries;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const VersionRef& ref = records[i].ref;
    const auto served = parts_.models.served_versions_of(ref.model);
    const bool is_served = std::find(served.begin(), served.end(), ref.version) != served.end();
    if (ready_only.value() && !(is_served && states[i] == VersionState::loaded)) continue;
    entries.push_back(
        {Models::name_for(*exchange.caller, ref.model), ref.version, states[i], is_served});
  }
  return json_response(200, repository_index_json(entries));
}

HttpResponse ApiHandler::describe(Exchange& exchange) {
  const auto record = find_model(exchange, Right::metadata);
  if (!record.ok()) return ErrorResponse::of(record.error());
  std::vector<VersionNumber> versions = {record.value().ref.version};
  if (!exchange.route.version) {
    versions = parts_.models.versions_of(*exchange.caller, record.value().ref.model);
  }
  return json_response(200, metadata_json(exchange.route.name, record.value(), versions));
}

HttpResponse ApiHandler::config(Exchange& exchange) {
  const auto record = find_model(exchange, Right::metadata);
  if (!record.ok()) return ErrorResponse::of(record.error());
  const auto options = parts_.models.options_of(record.value().ref.model);
  return json_response(200, config_json(exchange.route.name, record.value(), *options));
}

HttpResponse ApiHandler::statistics(Exchange& exchange) {
  std::vector<NamedStatistics> versions;
  const auto add = [&](const std::string& name, const VersionRef& ref) {
    const auto counts = parts_.models.statistics_of(*exchange.caller, ref);
    if (counts.ok()) versions.push_back({name, ref.version, counts.value()});
  };
  if (exchange.route.name.empty()) {
    for (const VersionRecord& each : parts_.models.list(*exchange.caller)) {
      add(Models::name_for(*exchange.caller, each.ref.model), each.ref);
    }
    return json_response(200, statistics_json(versions));
  }
  const auto record = find_model(exchange, std::nullopt);
  if (!record.ok()) return ErrorResponse::of(record.error());
  const ModelId& model = record.value().ref.model;
  if (exchange.route.version) {
    add(exchange.route.name, record.value().ref);
  } else {
    for (const VersionNumber each : parts_.models.versions_of(*exchange.caller, model)) {
      add(exchange.route.name, {model, each});
    }
  }
  if (versions.empty()) {
    return ErrorResponse::of(Error{Code::not_found, "api.statistics",
                                   Detail("statistics are for the model's owner")});
  }
  return json_response(200, statistics_json(versions));
}

HttpResponse ApiHandler::model_ready(Exchange& exchange) {
  const auto record = find_served(exchange, std::nullopt);
  if (!record.ok()) return ErrorResponse::of(record.error());
  // Every stored version answers, as it loads on first use, unless its workers keep dying.
  const bool ready = parts_.models.standing(record.value().ref) != Standing::quarantined;
  std::string json;
  JsonWriter(json)
      .begin_object()
      .key("name")
      .text(exchange.route.name)
      .key("ready")
      .boolean(ready)
      .end_object();
  return json_response(ready ? 200 : 503, std::move(json));
}

}  // namespace cloister
