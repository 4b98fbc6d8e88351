#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/message.h"
#include "model/model.h"

namespace cloister {

/// Every route that is served: docs/wire-api.md has one line for each.
enum class RouteKind {
  server,         ///< GET /v2
  openapi,        ///< GET /v2/openapi.json
  live,           ///< GET /v2/health/live
  ready,          ///< GET /v2/health/ready
  attestation,    ///< GET /v2/attestation?nonce=
  list_models,    ///< GET /v2/models
  describe,       ///< GET /v2/models/{m}[/versions/{v}]
  config,         ///< GET /v2/models/{m}[/versions/{v}]/config
  statistics,     ///< GET /v2/models[/{m}[/versions/{v}]]/stats
  model_ready,    ///< GET /v2/models/{m}[/versions/{v}]/ready
  infer,          ///< POST /v2/models/{m}[/versions/{v}]/infer
  upload,         ///< PUT /v2/models/{m}/versions/{v}
  erase,          ///< DELETE /v2/models/{m}/versions/{v}
  index,          ///< POST /v2/repository/index
  load,           ///< POST /v2/repository/models/{m}/load
  unload,         ///< POST /v2/repository/models/{m}/unload
  mint_token,     ///< POST /v2/principals/{p}/tokens
  revoke_tokens,  ///< DELETE /v2/principals/{p}/tokens
  list_principals,   ///< GET /v2/principals
  create_principal,  ///< POST /v2/principals
  remove_principal,  ///< DELETE /v2/principals/{p}
  quota,             ///< GET /v2/principals/{p}/quota
  set_quota,         ///< PUT /v2/principals/{p}/quota
  set_certificate,   ///< PUT /v2/principals/{p}/certificate
  drop_certificate,  ///< DELETE /v2/principals/{p}/certificate
  list_authorities,  ///< GET /v2/authorities
  add_authority,     ///< PUT /v2/authorities/{a}
  drop_authority,    ///< DELETE /v2/authorities/{a}
  list_grants,       ///< GET /v2/models/{m}/grants
  give_grant,        ///< PUT /v2/models/{m}/grants
  take_back_grant,   ///< DELETE /v2/models/{m}/grants?principal=
  usage,             ///< GET /v2/usage
  audit,             ///< GET /v2/audit?after=
  server_audit,      ///< GET /v2/audit/server?after=
};

struct Route {
  RouteKind kind = RouteKind::server;
  std::string name;  ///< the model's, principal's or authority's name in the path; unchecked
  std::optional<VersionNumber> version;
};

/// The path exists, but not for this method; `allow` is the Allow header's value.
struct WrongMethod {
  std::string allow;
};
struct NoRoute {};
using RouteMatch = std::variant<Route, WrongMethod, NoRoute>;

/// One line of the table of routes: `path` is what follows `/v2`, with `{m}`, `{v}`, `{p}` and
/// `{a}` for a model, a version, a principal and an authority.
struct ServedRoute {
  std::string_view method;
  std::string_view path;
};
std::vector<ServedRoute> served_routes();

/// Finds the route of a request line. HEAD counts as GET.
RouteMatch match_route(HttpMethod method, std::string_view path);

/// Whether a route answers without a credential.
bool is_public(RouteKind kind) noexcept;

/// The values of `key` in a query string, percent-decoded, in order. Fails: `invalid` for a bad
/// escape or more than 64 parameters.
Result<std::vector<std::string>> query_values(std::string_view query, std::string_view key);

}  // namespace cloister
