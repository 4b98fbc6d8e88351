// Principals, tokens and grants: who may do what.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "api/api_handler.h"
#include "api/exchange.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

constexpr std::size_t kRightsMax = 3;
constexpr std::chrono::hours kTokenLifeDefault{24 * 30};

Error no_principal() {
  return Error{Code::not_found, "api.principal", Detail("no such principal")};
}

Error bad_grant() {
  return Error{Code::invalid, "api.grant",
               Detail("expected {\"principal\": NAME, \"rights\": [\"infer\" | \"metadata\" | "
                      "\"manage\"], \"version\": NUMBER, \"expires_in\": SECONDS, \"receipts\": "
                      "\"always\"}, the last three as needed")};
}

/// `{"expires_in": seconds}`, or nothing for the default.
Result<std::chrono::seconds> token_life(Bytes body) {
  if (body.empty()) return std::chrono::seconds(kTokenLifeDefault);
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  const JsonValue* life = root.find("expires_in");
  const bool good = root.is_object() && root.members().size() == (life == nullptr ? 0U : 1U);
  if (!good || (life != nullptr && !life->unsigned_integer())) {
    return Error{Code::invalid, "api.token_life",
                 Detail("expected {\"expires_in\": seconds} or nothing")};
  }
  if (life == nullptr) return std::chrono::seconds(kTokenLifeDefault);
  const auto most = static_cast<std::uint64_t>(std::chrono::seconds(kTokenLifeMax).count());
  return std::chrono::seconds(std::min(*life->unsigned_integer(), most + 1));
}

/// Whether `object` is one and has no member but those named.
bool has_only(const JsonValue& object, std::initializer_list<std::string_view> names) {
  return object.is_object() &&
         std::ranges::all_of(object.members(), [&](const JsonMember& member) {
           return std::ranges::find(names, member.key) != names.end();
         });
}

Result<Rights> rights_in(const JsonValue& grant) {
  const JsonValue* list = grant.find("rights");
  if (list == nullptr || !list->is_array() || list->items().size() > kRightsMax) return bad_grant();
  Rights rights;
  for (const JsonValue& each : list->items()) {
    const auto right = each.text() ? right_named(*each.text()) : std::nullopt;
    if (!right) return bad_grant();
    rights.add(*right);
  }
  return rights;
}

Result<Grant> read_grant(Bytes body, const ModelId& model, UtcSeconds now) {
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  if (!has_only(root, {"principal", "rights", "version", "expires_in", "receipts"})) {
    return bad_grant();
  }
  const JsonValue* principal = root.find("principal");
  if (principal == nullptr || !principal->text()) return bad_grant();
  Grant grant{model, {}, PrincipalId{std::string(*principal->text())}, {}, {}, false};
  CLOISTER_ASSIGN(grant.rights, rights_in(root));
  if (const JsonValue* version = root.find("version"); version != nullptr) {
    const auto number = version->unsigned_integer();
    if (!number || *number < 1 || *number > kVersionNumberMax) return bad_grant();
    grant.version = VersionNumber{*number};
  }
  if (const JsonValue* life = root.find("expires_in"); life != nullptr) {
    const auto seconds = life->unsigned_integer();
    const auto most = static_cast<std::uint64_t>(std::chrono::seconds(kTokenLifeMax).count());
    if (!seconds || *seconds < 1 || *seconds > 10 * most) return bad_grant();
    grant.expires = now + std::chrono::seconds(*seconds);
  }
  if (const JsonValue* receipts = root.find("receipts"); receipts != nullptr) {
    if (receipts->text() != "always") return bad_grant();
    grant.receipts = true;
  }
  return grant;
}

void write_grant(JsonWriter& out, const Grant& grant) {
  out.begin_object().key("principal").text(grant.to.value).key("rights").begin_array();
  for (const Right each : {Right::infer, Right::metadata, Right::manage}) {
    if (grant.rights.has(each)) out.text(name_of(each));
  }
  out.end_array();
  if (grant.version) out.key("version").text(std::to_string(grant.version->value));
  if (grant.expires) out.key("expires_at").integer(grant.expires->time_since_epoch().count());
  if (grant.receipts) out.key("receipts").text("always");
  out.end_object();
}

std::string grants_json(const std::vector<Grant>& grants) {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const Grant& each : grants) write_grant(out, each);
  out.end_array();
  return json;
}

struct QuotaMember {
  std::string_view name;
  std::optional<std::uint64_t> QuotaTerms::*member;
};
constexpr std::array kQuotaMembers{QuotaMember{"stored_bytes", &QuotaTerms::stored_bytes},
                                   QuotaMember{"versions", &QuotaTerms::versions},
                                   QuotaMember{"requests", &QuotaTerms::requests},
                                   QuotaMember{"compute_seconds", &QuotaTerms::compute_seconds},
                                   QuotaMember{"runs", &QuotaTerms::runs}};

Result<QuotaTerms> read_quota(Bytes body) {
  const Error wrong{Code::invalid, "api.quota",
                    Detail("expected {\"stored_bytes\", \"versions\", \"requests\", "
                           "\"compute_seconds\", \"runs\", \"interval\": seconds}: whole "
                           "numbers, those that are to be bounded")};
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  if (!has_only(root, {"stored_bytes", "versions", "requests", "compute_seconds", "runs",
                       "interval"})) {
    return wrong;
  }
  QuotaTerms terms;
  for (const JsonMember& each : root.members()) {
    const auto number = each.value.unsigned_integer();
    if (!number || *number > kQuotaMax) return wrong;
    if (each.key == "interval") {
      terms.interval = std::chrono::seconds(static_cast<std::int64_t>(*number));
      continue;
    }
    const auto named = std::ranges::find(kQuotaMembers, each.key, &QuotaMember::name);
    terms.*(named->member) = number;
  }
  return terms;
}

std::string quota_json(const QuotaTerms& terms) {
  std::string json;
  JsonWriter out(json);
  out.begin_object();
  for (const QuotaMember& each : kQuotaMembers) {
    if (terms.*each.member) out.key(each.name).unsigned_integer(*(terms.*each.member));
  }
  out.key("interval").integer(terms.interval.count()).end_object();
  return json;
}

/// `?principal=NAME[&version=NUMBER]`.
struct GrantName {
  PrincipalId principal;
  std::optional<VersionNumber> version;
};
Result<GrantName> named_grant(std::string_view query) {
  CLOISTER_ASSIGN(const auto principals, query_values(query, "principal"));
  CLOISTER_ASSIGN(const auto versions, query_values(query, "version"));
  const Error wrong{Code::invalid, "api.grant_name",
                    Detail("expected ?principal=NAME and, for one version, &version=NUMBER")};
  if (principals.size() != 1 || !is_name(principals.front()) || versions.size() > 1) return wrong;
  GrantName name{PrincipalId{principals.front()}, {}};
  if (versions.empty()) return name;
  const std::string& text = versions.front();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return wrong;
  name.version = VersionNumber{number};
  return name;
}

}  // namespace

HttpResponse ApiHandler::list_principals(Exchange& exchange) {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const CreatedPrincipal& each : parts_.principals.created_by(*exchange.caller)) {
    out.begin_object().key("principal").text(each.id.value).key("role").text(name_of(each.role));
    out.key("tokens").unsigned_integer(each.tokens).end_object();
  }
  out.end_array();
  return json_response(200, std::move(json));
}

HttpResponse ApiHandler::create_principal(Exchange& exchange) {
  const auto root = parse_json(text_of(exchange.body.bytes()));
  if (!root.ok()) return ErrorResponse::of(root.error());
  const JsonValue* name = root.value().find("name");
  const JsonValue* role_text = root.value().find("role");
  const bool texts = name != nullptr && name->text() && role_text != nullptr && role_text->text();
  const auto role = texts ? role_named(*role_text->text()) : std::nullopt;
  if (!role || !has_only(root.value(), {"name", "role"})) {
    return ErrorResponse::plain(
        400, "invalid",
        R"(expected {"name": NAME, "role": "caller" | "owner" | "operator"})");
  }
  const auto created = parts_.principals.create(*exchange.caller, *name->text(), *role);
  if (!created.ok()) return ErrorResponse::of(created.error());
  exchange.concerned.emplace().principal = created.value();
  std::string json;
  JsonWriter(json)
      .begin_object()
      .key("principal")
      .text(created.value().value)
      .key("role")
      .text(name_of(*role))
      .end_object();
  return json_response(201, std::move(json));
}

HttpResponse ApiHandler::remove_principal(Exchange& exchange) {
  const Status removed =
      parts_.principals.remove(*exchange.caller, PrincipalId{exchange.route.name});
  if (!removed.ok()) return ErrorResponse::of(removed.error());
  const PrincipalId gone{exchange.route.name};
  exchange.concerned.emplace().principal = gone;
  for (const Status& each : {parts_.quotas.set(gone, {}), parts_.certificates.forget(gone)}) {
    if (!each.ok()) return ErrorResponse::of(each.error());
  }
  return json_response(200, "{}");
}

HttpResponse ApiHandler::quota(Exchange& exchange) {
  const PrincipalId principal{exchange.route.name};
  const bool created = parts_.principals.created(*exchange.caller, principal);
  const bool sets = exchange.route.kind == RouteKind::set_quota;
  const bool himself = principal == exchange.caller->id();
  if (!created && !himself) return ErrorResponse::of(no_principal());
  if (sets && !created) {
    return ErrorResponse::plain(403, name_of(Code::denied),
                                "a quota is set by who created the principal");
  }
  if (sets) {
    const auto terms = read_quota(exchange.body.bytes());
    if (!terms.ok()) return ErrorResponse::of(terms.error());
    exchange.concerned.emplace().principal = principal;
    const Status set = parts_.quotas.set(principal, terms.value());
    if (!set.ok()) return ErrorResponse::of(set.error());
  }
  return json_response(200, quota_json(parts_.quotas.of(principal)));
}

/// The model whose grants the caller may see and change: his own, and there.
Result<ModelId> ApiHandler::own_model(Exchange& exchange) const {
  CLOISTER_ASSIGN(const ModelId model,
                  parts_.models.resolve(*exchange.caller, exchange.route.name));
  CLOISTER_TRY(parts_.models.find(*exchange.caller, model, std::nullopt, std::nullopt));
  exchange.concerned.emplace().model = model;
  if (model.owner != exchange.caller->id()) {
    return Error{Code::denied, "api.grants", Detail("only its owner grants a model")};
  }
  return model;
}

HttpResponse ApiHandler::list_grants(Exchange& exchange) {
  const auto model = own_model(exchange);
  if (!model.ok()) return ErrorResponse::of(model.error());
  return json_response(200, grants_json(parts_.grants.on_model(model.value())));
}

HttpResponse ApiHandler::give_grant(Exchange& exchange) {
  const auto model = own_model(exchange);
  if (!model.ok()) return ErrorResponse::of(model.error());
  const auto grant = read_grant(exchange.body.bytes(), model.value(), parts_.clock.utc());
  if (!grant.ok()) return ErrorResponse::of(grant.error());
  exchange.concerned->principal = grant.value().to;
  exchange.concerned->version = grant.value().version;
  // Whether the principal exists is not said: an owner may know names that he did not create.
  const Status given = parts_.grants.give(grant.value());
  if (!given.ok()) return ErrorResponse::of(given.error());
  return json_response(200, grants_json(parts_.grants.on_model(model.value())));
}

HttpResponse ApiHandler::take_back_grant(Exchange& exchange) {
  const auto model = own_model(exchange);
  if (!model.ok()) return ErrorResponse::of(model.error());
  const auto name = named_grant(exchange.head.query);
  if (!name.ok()) return ErrorResponse::of(name.error());
  exchange.concerned->principal = name.value().principal;
  exchange.concerned->version = name.value().version;
  const Status taken =
      parts_.grants.take_back(model.value(), name.value().version, name.value().principal);
  if (!taken.ok()) return ErrorResponse::of(taken.error());
  return json_response(200, grants_json(parts_.grants.on_model(model.value())));
}

HttpResponse ApiHandler::tokens(Exchange& exchange) {
  const PrincipalId principal{exchange.route.name};
  if (!parts_.principals.may_manage(*exchange.caller, principal)) {
    return ErrorResponse::of(no_principal());
  }
  exchange.concerned.emplace().principal = principal;
  if (exchange.route.kind == RouteKind::revoke_tokens) {
    const Status revoked = parts_.principals.revoke_tokens(principal);
    return revoked.ok() ? json_response(200, "{}") : ErrorResponse::of(revoked.error());
  }
  const auto life = token_life(exchange.body.bytes());
  if (!life.ok()) return ErrorResponse::of(life.error());
  const auto minted = parts_.principals.mint(principal, life.value());
  if (!minted.ok()) return ErrorResponse::of(minted.error());
  constexpr std::size_t kAnswerMost = 256;
  std::string token = minted.value().show_once();
  std::string json;
  json.reserve(kAnswerMost);  // growing would leave the token behind
  JsonWriter(json)
      .begin_object()
      .key("token")
      .text(token)
      .key("expires_at")
      .integer(minted.value().expires().time_since_epoch().count())
      .end_object();
  wipe(token);
  HttpResponse response = json_response(201, std::move(json));
  response.headers.push_back({"cache-control", "no-store"});
  return response;
}

}  // namespace cloister
