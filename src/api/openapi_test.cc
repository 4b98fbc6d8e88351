#include "api/openapi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/routes.h"
#include "encoding/json.h"

namespace cloister {
namespace {

const JsonValue& description() {
  static const JsonValue root = parse_json(kOpenApiText).value();
  return root;
}

std::optional<HttpMethod> method_named(std::string_view name) {
  static const std::map<std::string_view, HttpMethod> kMethods = {
      {"get", HttpMethod::get},
      {"put", HttpMethod::put},
      {"post", HttpMethod::post},
      {"delete", HttpMethod::delete_}};
  const auto found = kMethods.find(name);
  return found == kMethods.end() ? std::nullopt : std::optional(found->second);
}

std::string upper(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return made;
}

/// "GET /v2/models/{m}" for every operation of the description.
std::set<std::string> described() {
  std::set<std::string> operations;
  for (const JsonMember& path : description().find("paths")->members()) {
    for (const JsonMember& member : path.value.members()) {
      if (method_named(member.key)) operations.insert(upper(member.key) + " " + path.key);
    }
  }
  return operations;
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
  std::set<std::string> served;
  for (const ServedRoute& each : served_routes()) {
    served.insert(std::string(each.method) + " /v2" + std::string(each.path));
  }
  EXPECT_EQ(described(), served);
}

TEST(OpenApi, SaysWhichRoutesArePublicAndWhatEveryAnswerMayBe) {
  for (const JsonMember& path : description().find("paths")->members()) {
    for (const JsonMember& member : path.value.members()) {
      const auto method = method_named(member.key);
      if (!method) continue;
      std::string concrete = path.key;
      for (const auto& [mark, value] : std::map<std::string, std::string>{
               {"{m}", "example"}, {"{v}", "1"}, {"{p}", "owner"}, {"{a}", "ours"}}) {
        const std::size_t at = concrete.find(mark);
        if (at != concrete.npos) concrete.replace(at, mark.size(), value);
      }
      const RouteMatch match = match_route(*method, concrete);
      ASSERT_TRUE(std::holds_alternative<Route>(match)) << concrete;
      const JsonValue* security = member.value.find("security");
      EXPECT_EQ(is_public(std::get<Route>(match).kind),
                security != nullptr && security->items().empty())
          << concrete;
      const JsonValue* responses = member.value.find("responses");
      ASSERT_NE(responses, nullptr) << concrete;
      EXPECT_EQ(responses->find("401") == nullptr, security != nullptr) << concrete;
      for (const char* code : {"400", "413", "429", "503"}) {
        EXPECT_NE(responses->find(code), nullptr) << concrete << " " << code;
      }
    }
  }
}

}  // namespace
}  // namespace cloister
