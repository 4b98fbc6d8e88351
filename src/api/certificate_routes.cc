// Client certificates: an owner's authorities, and what proves the principals whom he created.
#include <algorithm>
#include <utility>

#include "api/api_handler.h"
#include "api/exchange.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

/// The one text member of an object that has no other.
std::optional<std::string_view> only_text(const JsonValue& root, std::string_view name) {
  const JsonValue* member = root.find(name);
  return member == nullptr || root.members().size() != 1 ? std::nullopt : member->text();
}

Result<CertificateBinding> read_binding(Bytes body, const PrincipalId& owner) {
  const Error wrong{Code::invalid, "api.binding",
                    Detail("expected {\"key\": SHA-256 of the public key in hex} or "
                           "{\"authority\": NAME, \"name\": TEXT}")};
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  CertificateBinding binding;
  if (const auto key = only_text(root, "key")) {
    const auto bytes = hex_decode(*key);
    Sha256Digest digest;
    if (!bytes.ok() || bytes.value().size() != digest.size()) return wrong;
    std::ranges::copy(bytes.value(), digest.begin());
    binding.key = digest;
    return binding;
  }
  const JsonValue* authority = root.find("authority");
  const JsonValue* name = root.find("name");
  const bool shaped = root.members().size() == 2 && authority != nullptr && authority->text() &&
                      name != nullptr && name->text();
  if (!shaped) return wrong;
  binding.authority = {owner, std::string(*authority->text())};
  binding.name = *name->text();
  return binding;
}

Result<ByteVector> read_authority(Bytes body) {
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text_of(body)));
  const auto text = only_text(root, "certificate");
  auto der = base64_decode(text.value_or("!"));
  if (der.ok()) return der;
  return Error{Code::invalid, "api.authority",
               Detail("expected {\"certificate\": base64 of its DER}")};
}

}  // namespace

HttpResponse ApiHandler::list_authorities(const Exchange& exchange) const {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const AuthorityLine& each : parts_.certificates.authorities_of(exchange.caller->id())) {
    out.begin_object().key("authority").text(each.label);
    out.key("sha256").text(hex_encode(each.sha256));
    out.key("expires_at").integer(each.not_after.time_since_epoch().count()).end_object();
  }
  out.end_array();
  return json_response(200, std::move(json));
}

HttpResponse ApiHandler::authorities(Exchange& exchange) {
  if (exchange.caller->role() != Role::owner) {
    return ErrorResponse::plain(403, name_of(Code::denied),
                                "only owners have authorities, for their own principals");
  }
  if (exchange.route.kind == RouteKind::list_authorities) return list_authorities(exchange);
  const AuthorityName name{exchange.caller->id(), exchange.route.name};
  Sha256Digest digest{};
  if (exchange.route.kind == RouteKind::add_authority) {
    const auto der = read_authority(exchange.body.bytes());
    if (!der.ok()) return ErrorResponse::of(der.error());
    digest = sha256(der.value());
    const Status added = parts_.certificates.add_authority(name, der.value());
    if (!added.ok()) return ErrorResponse::of(added.error());
  } else {
    const auto kept = parts_.certificates.authorities_of(name.owner);
    const auto found = std::ranges::find(kept, name.label, &AuthorityLine::label);
    if (found != kept.end()) digest = found->sha256;
    const Status removed = parts_.certificates.remove_authority(name);
    if (!removed.ok()) return ErrorResponse::of(removed.error());
  }
  exchange.concerned.emplace().sha256 = digest;
  return json_response(200, "{}");
}

HttpResponse ApiHandler::certificate(Exchange& exchange) {
  const PrincipalId principal{exchange.route.name};
  if (!parts_.principals.created(*exchange.caller, principal)) {
    return ErrorResponse::of(
        Error{Code::not_found, "api.principal", Detail("no such principal")});
  }
  Status changed = Done{};
  if (exchange.route.kind == RouteKind::set_certificate) {
    const auto binding = read_binding(exchange.body.bytes(), exchange.caller->id());
    if (!binding.ok()) return ErrorResponse::of(binding.error());
    changed = parts_.certificates.bind(principal, binding.value());
    exchange.concerned.emplace().sha256 = binding.value().key;
  } else {
    changed = parts_.certificates.unbind(principal);
    exchange.concerned.emplace();
  }
  exchange.concerned->principal = principal;
  return changed.ok() ? json_response(200, "{}") : ErrorResponse::of(changed.error());
}

}  // namespace cloister
