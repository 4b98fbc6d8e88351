#pragma once

namespace cloister {

/// The OpenAPI description of every route: openapi.json beside this file, as the build found it.
/// openapi_test holds it against the table of routes.
extern const char* const kOpenApiText;

}  // namespace cloister
