#include "request.h"

#include <utility>

namespace cloister {
namespace {

constexpr JsonLimits kAnswerLimits{.bytes_max = 64U << 20, .values_max = 1U << 20};

}  // namespace

std::string text_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  return member == nullptr ? std::string() : printable(member->text().value_or(""));
}

/// A number, or a text that is one.
std::string number_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  if (member == nullptr) return "";
  return member->is_text() ? printable(*member->text()) : std::string(member->raw());
}

Outcome ask(const Options& options, Tools& tools, ClientRequest request, const std::string& body,
            const std::function<void(const JsonValue&)>& print) {
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  const auto response = access.session->send(std::move(request), {bytes_of(body), nullptr, {}});
  if (!response.ok()) return ConsoleReport::failed(response.error());
  if (response.value().status >= 300) return refused_by_server(response.value(), options.json);
  if (options.json) {
    print_line(response.value().body);
    return Outcome::done;
  }
  const auto parsed = parse_json(response.value().body, kAnswerLimits);
  if (!parsed.ok()) return ConsoleReport::failed(parsed.error());
  print(parsed.value());
  return Outcome::done;
}

}  // namespace cloister
