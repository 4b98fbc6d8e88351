#include "api/routes.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

TEST(MatchRoute, FindsNothingForOtherPaths) {
  for (const char* path :
       {"/", "/v1", "/v2x", "/v2//", "/v2/models/", "/v2/models//ready", "/v2/models/m/versions",
        "/v2/models/m/versions/0", "/v2/models/m/versions/01", "/v2/models/m/versions/+1",
        "/v2/models/m/versions/2147483649", "/v2/models/m/versions/1/",
        "/v2/models/m/versions/1/infer/x", "/v2/health"}) {
    EXPECT_TRUE(std::holds_alternative<NoRoute>(match_route(HttpMethod::get, path))) << path;
  }
}

TEST(MatchRoute, NamesTheMethodsOfAPathThatExists) {
  const RouteMatch match = match_route(HttpMethod::post, "/v2/models/m/versions/1");
  ASSERT_TRUE(std::holds_alternative<WrongMethod>(match));
  EXPECT_EQ(std::get<WrongMethod>(match).allow, "GET, HEAD, PUT, DELETE");
}

TEST(MatchRoute, TakesNameAndVersionFromThePath) {
  const RouteMatch match = match_route(HttpMethod::post, "/v2/models/a.b/versions/12/infer");
  ASSERT_TRUE(std::holds_alternative<Route>(match));
  EXPECT_EQ(std::get<Route>(match).kind, RouteKind::infer);
  EXPECT_EQ(std::get<Route>(match).name, "a.b");
  EXPECT_EQ(std::get<Route>(match).version, VersionNumber{12});
}

TEST(MatchRoute, TakesHeadForGet) {
  const RouteMatch match = match_route(HttpMethod::head, "/v2/");
  ASSERT_TRUE(std::holds_alternative<Route>(match));
  EXPECT_EQ(std::get<Route>(match).kind, RouteKind::server);
}

TEST(IsPublic, HoldsForNoRouteOfAModelOrPrincipal) {
  for (const RouteKind kind :
       {RouteKind::list_models, RouteKind::describe, RouteKind::infer, RouteKind::upload,
        RouteKind::erase, RouteKind::index, RouteKind::load, RouteKind::unload,
        RouteKind::mint_token, RouteKind::revoke_tokens, RouteKind::model_ready,
        RouteKind::config, RouteKind::statistics}) {
    EXPECT_FALSE(is_public(kind));
  }
  EXPECT_TRUE(is_public(RouteKind::attestation));
}

TEST(QueryValues, RefusesBadEscapesAndTooMany) {
  for (const char* query : {"k=%", "k=%4", "k=%zz", "k=a%g0"}) {
    EXPECT_EQ(query_values(query, "k").error().code, Code::invalid) << query;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=1&";
  EXPECT_EQ(query_values(many, "k").error().code, Code::invalid);
}

TEST(QueryValues, DecodesInOrderAndSkipsOthers) {
  const auto values = query_values("x=1&output=a%2Fb&y&output=c+d", "output").value();
  EXPECT_EQ(values, (std::vector<std::string>{"a/b", "c d"}));
  EXPECT_TRUE(query_values("", "output").value().empty());
}

}  // namespace
}  // namespace cloister
