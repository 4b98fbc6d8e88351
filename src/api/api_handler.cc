#include "api/api_handler.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "api/body_limits.h"
#include "api/content_coding.h"
#include "api/exchange.h"
#include "api/openapi.h"
#include "base/caught.h"
#include "http/infer_codec.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::uint64_t kSmallBodyMax = 64 * 1024;
constexpr std::uint64_t kKeptBytesMax = 32U << 20;
constexpr std::string_view kBearer = "Bearer ";

std::uint64_t body_bytes(const HttpResponse& response) {
  std::uint64_t bytes = 0;
  for (const Bytes piece : response.body.pieces) bytes += piece.size();
  return bytes;
}

/// A body and what counts it against a principal, which goes after it.
struct CountedBody {
  std::shared_ptr<void> hold;
  std::shared_ptr<const void> owner;
};

Error no_route() {
  return Error{Code::not_found, "api.route", Detail("no such route; docs/wire-api.md lists them")};
}

HttpResponse wrong_method(const WrongMethod& wrong) {
  HttpResponse response =
      ErrorResponse::plain(405, "invalid", "this route is not served for this method");
  response.headers.push_back({"allow", wrong.allow});
  return response;
}

RequestKind kind_of(RouteKind route) {
  switch (route) {
    case RouteKind::server:
    case RouteKind::openapi: return RequestKind::describe;
    case RouteKind::live:
    case RouteKind::ready:
    case RouteKind::model_ready: return RequestKind::health;
    case RouteKind::attestation: return RequestKind::attestation;
    case RouteKind::list_models:
    case RouteKind::index: return RequestKind::list;
    case RouteKind::describe:
    case RouteKind::config: return RequestKind::metadata;
    case RouteKind::statistics: return RequestKind::statistics;
    case RouteKind::infer: return RequestKind::infer;
    case RouteKind::upload: return RequestKind::upload;
    case RouteKind::erase: return RequestKind::erase;
    case RouteKind::load: return RequestKind::load;
    case RouteKind::unload: return RequestKind::unload;
    case RouteKind::mint_token:
    case RouteKind::revoke_tokens:
    case RouteKind::list_principals:
    case RouteKind::create_principal:
    case RouteKind::remove_principal:
    case RouteKind::quota:
    case RouteKind::set_quota:
    case RouteKind::set_certificate:
    case RouteKind::drop_certificate:
    case RouteKind::list_authorities:
    case RouteKind::add_authority:
    case RouteKind::drop_authority:
    case RouteKind::list_grants:
    case RouteKind::give_grant:
    case RouteKind::take_back_grant:
    case RouteKind::usage:
    case RouteKind::audit:
    case RouteKind::server_audit: return RequestKind::account;
  }
  return RequestKind::none;
}

}  // namespace

ApiHandler::ApiHandler(Parts parts, ServerDescription server, ApiSettings settings)
    : parts_(parts),
      server_(std::move(server)),
      settings_(settings),
      receiving_(ReceivingBudget::make(settings.receiving_bytes_per_principal_max)),
      rate_(settings.requests_per_second_max),
      memory_(kKeptBytesMax) {}

HeadDecision ApiHandler::decide(const HttpRequestHead& head) {
  HeadDecision decision = plan_or_refuse(head);
  if (const auto* response = std::get_if<HttpResponse>(&decision)) {
    RequestFinished event;
    const RouteMatch match = match_route(head.method, head.path);
    if (const Route* route = std::get_if<Route>(&match)) event.kind = kind_of(route->kind);
    event.connection = head.connection.connection;
    event.status = response->status;
    event.bytes_out = body_bytes(*response);
    tell(event);
  }
  return decision;
}

HeadDecision ApiHandler::plan_or_refuse(const HttpRequestHead& head) {
  const RouteMatch match = match_route(head.method, head.path);
  const Route* route = std::get_if<Route>(&match);
  if (route != nullptr && is_public(route->kind)) return BodyPlan{};
  // Before a stranger learns which routes exist he says who he is.
  const auto caller = authenticate(head);
  if (!caller.ok()) {
    parts_.audit.count_refused();
    return ErrorResponse::of(caller.error());
  }
  const Status paced = rate_.take(caller.value().id(), parts_.clock.steady());
  if (!paced.ok()) return ErrorResponse::of(paced.error());
  if (const auto* wrong = std::get_if<WrongMethod>(&match)) return wrong_method(*wrong);
  if (route == nullptr) return ErrorResponse::of(no_route());
  auto plan = plan_body(head, *route, caller.value());
  if (!plan.ok()) return ErrorResponse::of(plan.error());
  plan.value().whose = std::hash<std::string>()(caller.value().id().value) | 1U;
  return std::move(plan).value();
}

Result<Caller> ApiHandler::authenticate(const HttpRequestHead& head) const {
  if (const auto given = head.header("authorization")) {
    if (!given->starts_with(kBearer)) return Error{Code::unauthenticated, "api.authorization"};
    return parts_.principals.authenticate(given->substr(kBearer.size()));
  }
  if (!head.connection.client_spki_sha256) {
    return Error{Code::unauthenticated, "api.authorization"};
  }
  const auto first = parts_.principals.authenticate_key(*head.connection.client_spki_sha256);
  return first.ok() ? first : authenticate_certificate(head);
}

Result<Caller> ApiHandler::authenticate_certificate(const HttpRequestHead& head) const {
  auto holders = parts_.certificates.holders(*head.connection.client_chain);
  // One key or name may prove principals of several owners; then the client says whom he means.
  if (const auto meant = head.header("cloister-principal")) {
    std::erase_if(holders, [&](const PrincipalId& each) { return each.value != *meant; });
  }
  if (holders.size() != 1) return Error{Code::unauthenticated, "api.certificate"};
  return parts_.principals.proven(holders.front());
}

Result<BodyPlan> ApiHandler::plan_body(const HttpRequestHead& head, const Route& route,
                                       const Caller& caller) {
  BodyPlan plan;
  plan.seconds_max = static_cast<std::uint32_t>(settings_.request_time_max.count());
  switch (route.kind) {
    case RouteKind::upload: return plan_upload(head, route, caller);
    case RouteKind::infer: return plan_infer(head, route, caller);
    case RouteKind::load: return plan_load(head, caller);
    case RouteKind::index:
    case RouteKind::unload:
    case RouteKind::create_principal:
    case RouteKind::set_quota:
    case RouteKind::set_certificate:
    case RouteKind::add_authority:
    case RouteKind::give_grant:
    case RouteKind::mint_token: plan.bytes_max = kSmallBodyMax; return plan;
    default: return plan;
  }
}

Result<BodyPlan> ApiHandler::plan_upload(const HttpRequestHead& head, const Route& route,
                                         const Caller& caller) {
  CLOISTER_ASSIGN(const ModelId model, parts_.models.resolve(caller, route.name));
  const std::uint64_t size = head.content_length.value_or(settings_.upload_bytes_max);
  if (size > settings_.upload_bytes_max) {
    return Error{Code::too_large, "api.upload_size",
                 Detail("a model may have at most " + std::to_string(settings_.upload_bytes_max) +
                        " bytes; this one has " + std::to_string(size))};
  }
  if (size == 0 || !head.has_body) {
    return Error{Code::invalid, "api.upload_empty",
                 Detail("the body is the ONNX file; it is empty")};
  }
  // A length that nobody stated is checked against the quota once it is known.
  CLOISTER_TRY(parts_.models.may_upload(caller, VersionRef{model, *route.version},
                                        head.content_length.value_or(0)));
  CLOISTER_TRY(check_upload_headers(head));
  BodyPlan plan;
  plan.bytes_max = size;
  plan.seconds_max = static_cast<std::uint32_t>(settings_.upload_time_max.count());
  CLOISTER_ASSIGN(plan.hold, receiving_->take(caller.id(), size));
  return plan;
}

Result<BodyPlan> ApiHandler::plan_load(const HttpRequestHead& head, const Caller& caller) {
  BodyPlan plan;
  const std::uint64_t base64_max = settings_.upload_bytes_max / 3 * 4 + 4 + kSmallBodyMax;
  plan.bytes_max = head.content_length.value_or(kSmallBodyMax);
  plan.seconds_max = static_cast<std::uint32_t>(settings_.request_time_max.count());
  if (plan.bytes_max <= kSmallBodyMax) return plan;
  if (plan.bytes_max > base64_max) {
    return Error{Code::too_large, "api.load_size",
                 Detail("a load request may have at most " + std::to_string(base64_max) +
                        " bytes")};
  }
  plan.seconds_max = static_cast<std::uint32_t>(settings_.upload_time_max.count());
  CLOISTER_ASSIGN(plan.hold, receiving_->take(caller.id(), plan.bytes_max));
  return plan;
}

Result<BodyPlan> ApiHandler::plan_infer(const HttpRequestHead& head, const Route& route,
                                        const Caller& caller) {
  CLOISTER_ASSIGN(const ModelId model, parts_.models.resolve(caller, route.name));
  CLOISTER_ASSIGN(const VersionRecord record,
                  parts_.models.find_served(caller, model, route.version, Right::infer));
  CLOISTER_ASSIGN(const BodyFormat format, infer_format(head));
  const std::uint64_t bound =
      infer_body_bound(record.signature, format, settings_.request_bytes_max);
  const std::uint64_t size = head.content_length.value_or(bound);
  if (size > bound) {
    return Error{Code::too_large, "api.infer_size",
                 Detail("a request to this model has at most " + std::to_string(bound) +
                        " bytes; this one has " + std::to_string(size))};
  }
  CLOISTER_ASSIGN(const auto coding, request_coding(head));
  CLOISTER_ASSIGN(const auto json_bytes, inference_header_length(head));
  BodyPlan plan;
  if (json_bytes && !coding) plan.lead = infer_body_lead(*json_bytes);
  plan.bytes_max = size;
  plan.seconds_max = static_cast<std::uint32_t>(settings_.request_time_max.count());
  if (size > 0) {
    const std::uint64_t decoded = coding ? decoded_bound(size, bound) : 0;
    CLOISTER_ASSIGN(plan.hold, receiving_->take(caller.id(), size + decoded));
  }
  return plan;
}

void ApiHandler::handle(HttpRequestHead head, RequestBody body,
                        std::shared_ptr<Responder> responder) {
  RouteMatch match = match_route(head.method, head.path);
  Route* route = std::get_if<Route>(&match);
  if (route == nullptr) {
    forget_credential(head);
    responder->send(ErrorResponse::of(no_route()));
    return;
  }
  auto exchange = std::make_shared<Exchange>();
  exchange->head = std::move(head);
  exchange->bytes_in = body.size;
  exchange->body = std::move(body);
  exchange->responder = std::move(responder);
  exchange->route = std::move(*route);
  exchange->since = parts_.clock.steady();
  if (is_public(exchange->route.kind)) {
    forget_credential(exchange->head);
    answer_public(exchange);
    return;
  }
  // Again, now that the body is here: a credential that was revoked meanwhile counts for nothing.
  auto caller = authenticate(exchange->head);
  forget_credential(exchange->head);
  if (!caller.ok()) {
    answer(*exchange, ErrorResponse::of(caller.error()));
    return;
  }
  exchange->caller = std::move(caller).value();
  answer_own(exchange);
}

void ApiHandler::answer_public(const ExchangePtr& exchange) {
  switch (exchange->route.kind) {
    case RouteKind::server:
      answer(*exchange, json_response(200, server_json(server_, parts_.sealed.public_keys())));
      return;
    case RouteKind::openapi: answer(*exchange, constant_json(kOpenApiText)); return;
    case RouteKind::live: answer(*exchange, json_response(200, R"({"live":true})")); return;
    case RouteKind::ready: answer(*exchange, json_response(200, R"({"ready":true})")); return;
    default: enqueue(parts_.queues.evidence, exchange, &ApiHandler::attest); return;
  }
}

void ApiHandler::answer_own(const ExchangePtr& exchange) {
  const ApiQueues& queues = parts_.queues;
  switch (exchange->route.kind) {
    case RouteKind::describe: answer(*exchange, describe(*exchange)); return;
    case RouteKind::config: answer(*exchange, config(*exchange)); return;
    case RouteKind::model_ready: answer(*exchange, model_ready(*exchange)); return;
    case RouteKind::statistics: enqueue(queues.control, exchange, &ApiHandler::statistics); return;
    case RouteKind::list_models:
    case RouteKind::index: enqueue(queues.control, exchange, &ApiHandler::list_models); return;
    case RouteKind::mint_token:
    case RouteKind::revoke_tokens: enqueue(queues.control, exchange, &ApiHandler::tokens); return;
    case RouteKind::list_principals:
      enqueue(queues.control, exchange, &ApiHandler::list_principals);
      return;
    case RouteKind::create_principal:
      enqueue(queues.control, exchange, &ApiHandler::create_principal);
      return;
    case RouteKind::remove_principal:
      enqueue(queues.control, exchange, &ApiHandler::remove_principal);
      return;
    case RouteKind::quota:
    case RouteKind::set_quota: enqueue(queues.control, exchange, &ApiHandler::quota); return;
    case RouteKind::set_certificate:
    case RouteKind::drop_certificate:
      enqueue(queues.control, exchange, &ApiHandler::certificate);
      return;
    case RouteKind::list_authorities:
    case RouteKind::add_authority:
    case RouteKind::drop_authority:
      enqueue(queues.control, exchange, &ApiHandler::authorities);
      return;
    case RouteKind::list_grants:
      enqueue(queues.control, exchange, &ApiHandler::list_grants);
      return;
    case RouteKind::give_grant: enqueue(queues.control, exchange, &ApiHandler::give_grant); return;
    case RouteKind::take_back_grant:
      enqueue(queues.control, exchange, &ApiHandler::take_back_grant);
      return;
    case RouteKind::usage: enqueue(queues.control, exchange, &ApiHandler::usage); return;
    case RouteKind::audit:
    case RouteKind::server_audit: enqueue(queues.control, exchange, &ApiHandler::audit); return;
    case RouteKind::erase: enqueue(queues.control, exchange, &ApiHandler::erase); return;
    case RouteKind::unload: enqueue(queues.control, exchange, &ApiHandler::unload); return;
    case RouteKind::load: {
      // With a model file in it, it is an upload first.
      const bool has_file = exchange->bytes_in > kSmallBodyMax;
      enqueue(has_file ? queues.uploads : queues.loads, exchange, &ApiHandler::load);
      return;
    }
    case RouteKind::upload: enqueue(queues.uploads, exchange, &ApiHandler::upload); return;
    case RouteKind::infer: start_infer(exchange); return;
    case RouteKind::server:
    case RouteKind::openapi:
    case RouteKind::live:
    case RouteKind::ready:
    case RouteKind::attestation: break;
  }
  answer(*exchange, ErrorResponse::of(no_route()));
}

void ApiHandler::enqueue(JobQueue& queue, const ExchangePtr& exchange,
                         HttpResponse (ApiHandler::*work)(Exchange&)) {
  const Status queued = queue.push([this, exchange, work] {
    auto response =
        caught("api.work", [&]() -> Result<HttpResponse> { return (this->*work)(*exchange); });
    // The body's memory and what it counts for end with the work, not with sending the answer.
    exchange->body = RequestBody();
    HttpResponse made =
        response.ok() ? std::move(response).value() : ErrorResponse::of(response.error());
    const Status noted = note(*exchange, made);
    answer(*exchange, noted.ok() ? std::move(made) : ErrorResponse::of(noted.error()));
  }, exchange->caller ? exchange->caller->id().value : std::string());
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

HttpResponse ApiHandler::counted(const Exchange& exchange, HttpResponse response) const {
  const std::uint64_t bytes = body_bytes(response);
  if (!exchange.caller || bytes <= kSmallBodyMax) return response;
  auto hold = receiving_->take(exchange.caller->id(), bytes);
  if (!hold.ok()) return ErrorResponse::of(hold.error());
  response.body.owner = std::make_shared<const CountedBody>(
      CountedBody{std::move(hold).value(), std::move(response.body.owner)});
  return response;
}

void ApiHandler::answer(Exchange& exchange, HttpResponse made) const {
  HttpResponse response = counted(exchange, std::move(made));
  exchange.lease.reset();
  if (exchange.run) exchange.run->took(exchange.compute);
  exchange.run.reset();
  if (exchange.record && response.status >= 400) {
    parts_.statistics.failed(exchange.record->ref, parts_.clock.steady() - exchange.since);
  }
  report(exchange, response);
  const bool counts = exchange.record && response.status == 200;
  if (counts) {
    const auto compute = std::chrono::duration_cast<std::chrono::microseconds>(exchange.compute);
    const UsageAmount amount{1, static_cast<std::uint64_t>(compute.count()), exchange.bytes_in,
                             body_bytes(response)};
    // Only then: what is counted was answered, to the last byte.
    response.sent = [&usage = parts_.usage, record = exchange.record,
                     principal = exchange.caller->id(), amount] {
      usage.record(record->ref, principal, amount);
    };
  }
  exchange.responder->send(std::move(response));
}

void ApiHandler::report(const Exchange& exchange, const HttpResponse& response) const {
  RequestFinished event;
  event.connection = exchange.head.connection.connection;
  event.kind = kind_of(exchange.route.kind);
  event.status = response.status;
  event.bytes_in = exchange.bytes_in;
  event.bytes_out = body_bytes(response);
  event.took =
      std::chrono::duration_cast<std::chrono::microseconds>(parts_.clock.steady() - exchange.since);
  tell(event);
}

void ApiHandler::tell(const RequestFinished& event) const {
  parts_.counters.count(event);
  if (parts_.requests != nullptr) parts_.requests->record(event);
}

Result<VersionRecord> ApiHandler::find_model(const Exchange& exchange,
                                             std::optional<Right> right) const {
  CLOISTER_ASSIGN(const ModelId model,
                  parts_.models.resolve(*exchange.caller, exchange.route.name));
  return parts_.models.find(*exchange.caller, model, exchange.route.version, right);
}

Result<VersionRecord> ApiHandler::find_served(const Exchange& exchange,
                                              std::optional<Right> right) const {
  CLOISTER_ASSIGN(const ModelId model,
                  parts_.models.resolve(*exchange.caller, exchange.route.name));
  return parts_.models.find_served(*exchange.caller, model, exchange.route.version, right);
}

HttpResponse ApiHandler::attest(Exchange& exchange) {
  const auto nonces = query_values(exchange.head.query, "nonce");
  if (!nonces.ok() || nonces.value().size() != 1) {
    return ErrorResponse::plain(
        400, "invalid", "nonce: expected once, base64url without padding of 16 to 64 random bytes");
  }
  auto answer =
      parts_.attestation.answer(nonces.value().front(), exchange.head.connection.tls_exporter);
  if (!answer.ok()) return ErrorResponse::of(answer.error());
  HttpResponse response = json_response(200, std::move(answer).value());
  response.headers.push_back({"cache-control", "no-store"});
  return response;
}

}  // namespace cloister
