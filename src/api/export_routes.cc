// What owners are told of what is theirs, signed where they want that: usage and the audit trail.
#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <utility>

#include "api/api_handler.h"
#include "api/exchange.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"

namespace cloister {

/// How an export says what it is.
struct ApiHandler::ExportForm {
  std::string_view kind;
  std::string_view content_type;  ///< of the signed form's payload
  std::string_view of;            ///< whose it is
};

namespace {

constexpr std::string_view kSigned = "application/cose";
constexpr std::string_view kUsageType = "application/vnd.cloister.usage+json";
constexpr std::string_view kAuditType = "application/vnd.cloister.audit+json";

std::string day_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text.data();
}

void write_usage(JsonWriter& out, const Caller& caller, const std::vector<UsageRow>& rows) {
  out.begin_array();
  for (const UsageRow& row : rows) {
    out.begin_object().key("model").text(Models::name_for(caller, row.version.model));
    out.key("version").text(std::to_string(row.version.version.value));
    out.key("principal").text(row.principal.value).key("day").text(day_text(row.day));
    out.key("requests").unsigned_integer(row.amount.requests);
    out.key("compute_ms").unsigned_integer(row.amount.compute_us / 1000);
    out.key("bytes_in").unsigned_integer(row.amount.bytes_in);
    out.key("bytes_out").unsigned_integer(row.amount.bytes_out).end_object();
  }
  out.end_array();
}

/// `?after=NUMBER`, 0 where it is not there.
Result<std::uint64_t> number_after(std::string_view query) {
  CLOISTER_ASSIGN(const auto values, query_values(query, "after"));
  if (values.empty()) return std::uint64_t{0};
  const std::string& text = values.front();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (values.size() == 1 && error == std::errc() && end == text.data() + text.size()) {
    return number;
  }
  return Error{Code::invalid, "api.audit_after", Detail("after: expected once, an event's number")};
}

std::optional<AuditAction> action_of(RouteKind route) {
  switch (route) {
    case RouteKind::upload: return AuditAction::version_uploaded;
    case RouteKind::erase: return AuditAction::version_erased;
    case RouteKind::load: return AuditAction::model_loaded;
    case RouteKind::unload: return AuditAction::model_unloaded;
    case RouteKind::mint_token: return AuditAction::token_minted;
    case RouteKind::revoke_tokens: return AuditAction::tokens_revoked;
    case RouteKind::create_principal: return AuditAction::principal_created;
    case RouteKind::remove_principal: return AuditAction::principal_removed;
    case RouteKind::set_certificate:
    case RouteKind::drop_certificate: return AuditAction::certificate_bound;
    case RouteKind::add_authority: return AuditAction::authority_added;
    case RouteKind::drop_authority: return AuditAction::authority_removed;
    case RouteKind::set_quota: return AuditAction::quota_set;
    case RouteKind::give_grant: return AuditAction::grant_given;
    case RouteKind::take_back_grant: return AuditAction::grant_taken_back;
    default: return {};
  }
}

/// Nothing for requests that could not mean anything.
std::optional<AuditOutcome> outcome_of(int status) {
  if (status < 300) return AuditOutcome::done;
  if (status == 403) return AuditOutcome::denied;
  if (status == 409 || status == 413 || status == 422) return AuditOutcome::refused;
  if (status >= 500) return AuditOutcome::failed;
  return {};
}

}  // namespace

HttpResponse ApiHandler::exported(const Exchange& exchange, const ExportForm& form,
                                  std::string_view members) const {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("kind").text(form.kind).key("of").text(form.of);
  parts_.receipts.write_origin(out);
  json += ',';
  json += members;
  json += '}';
  HttpResponse response;
  const auto accept = exchange.head.header("accept");
  if (accept && *accept == kSigned) {
    auto made = parts_.receipts.sign_export(form.content_type, json);
    if (!made.ok()) return ErrorResponse::of(made.error());
    const auto kept = std::make_shared<const ByteVector>(std::move(made).value());
    response.headers.push_back({"content-type", std::string(kSigned)});
    response.body = {{*kept}, kept};
  } else {
    response = json_response(200, std::move(json));
  }
  response.headers.push_back({"cache-control", "no-store"});
  return response;
}

HttpResponse ApiHandler::usage(Exchange& exchange) {
  const Caller& caller = *exchange.caller;
  std::string members;
  JsonWriter out(members);
  out.key("of_my_models");
  write_usage(out, caller, parts_.usage.of_owner(caller.id()));
  out.key("by_me");
  write_usage(out, caller, parts_.usage.of_principal(caller.id()));
  out.key("complete").boolean(!parts_.usage.overflowed());
  return exported(exchange, {"usage", kUsageType, caller.id().value}, members);
}

HttpResponse ApiHandler::audit(Exchange& exchange) {
  const bool of_server = exchange.route.kind == RouteKind::server_audit;
  const Role role = exchange.caller->role();
  if (role == Role::caller || (role == Role::operator_ && !of_server)) {
    return ErrorResponse::plain(403, name_of(Code::denied),
                                "owners read their own audit trail, operators the server's");
  }
  const PrincipalId& whose = of_server ? kServerChain : exchange.caller->id();
  const auto after = number_after(exchange.head.query);
  if (!after.ok()) return ErrorResponse::of(after.error());
  const auto part = parts_.audit.part_of(whose, after.value());
  if (!part.ok()) return ErrorResponse::of(part.error());
  std::string members;
  JsonWriter out(members);
  out.key("first").unsigned_integer(part.value().first);
  out.key("before").text(hex_encode(part.value().before)).key("events").begin_array();
  for (const std::string& event : part.value().events) out.raw(event);
  out.end_array().key("count").unsigned_integer(part.value().count);
  out.key("head").text(hex_encode(part.value().head));
  return exported(exchange, {"audit", kAuditType, whose.value}, members);
}

Status ApiHandler::note(const Exchange& exchange, const HttpResponse& response) const {
  const auto action = action_of(exchange.route.kind);
  const auto outcome = outcome_of(response.status);
  if (!exchange.concerned || !action || !outcome) return Done{};
  CLOISTER_TRY(note(exchange, *action, *outcome));
  if (*action != AuditAction::principal_removed || *outcome != AuditOutcome::done) return Done{};
  return parts_.audit.forget(exchange.concerned->principal);
}

Status ApiHandler::note(const Exchange& exchange, AuditAction action, AuditOutcome outcome) const {
  const Concerned& what = *exchange.concerned;
  AuditEvent event;
  event.action = action;
  event.outcome = outcome;
  event.actor = exchange.caller->id();
  if (what.model) event.model = what.model->name;
  event.version = what.version;
  event.principal = what.principal;
  event.sha256 = what.sha256;
  return parts_.audit.record(what.model ? what.model->owner : event.actor, event);
}

}  // namespace cloister
