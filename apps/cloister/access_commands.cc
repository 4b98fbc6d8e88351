// Who may use what: principals, tokens, grants.
#include <cstdio>
#include <string>

#include "commands.h"
#include "encoding/json_writer.h"
#include "local_files.h"
#include "server_access.h"

namespace cloister {
namespace {

const ClientHeader kJson{"content-type", "application/json"};

Outcome new_token(const Options& options, Tools& tools) {
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  const std::string target = "/v2/principals/" + percent_encoded(options.principal) + "/tokens";
  const std::string body = "{\"expires_in\":" + std::to_string(options.days * 86400ULL) + "}";
  const auto response = access.session->send(
      {"POST", target, {{"content-type", "application/json"}}}, {bytes_of(body), nullptr, {}});
  if (!response.ok()) return ConsoleReport::failed(response.error());
  if (response.value().status >= 300) return refused_by_server(response.value(), options.json);
  const auto answer = parse_json(response.value().body);
  if (!answer.ok()) return ConsoleReport::failed(answer.error());
  const std::string token = text_member(answer.value(), "token");
  if (options.output.empty()) {
    print_line(options.json ? response.value().body : token);
    return Outcome::done;
  }
  const Status written = write_local_file(options.output, bytes_of(token), tools.entropy);
  if (!written.ok()) return ConsoleReport::failed(written.error());
  return Outcome::done;
}

Outcome revoke_tokens(const Options& options, Tools& tools) {
  const std::string target = "/v2/principals/" + percent_encoded(options.principal) + "/tokens";
  return ask(options, tools, {"DELETE", target, {}}, "", [&](const JsonValue&) {
    print_line("revoked all tokens of " + printable(options.principal));
  });
}

std::string principal_target(const Options& options) {
  return "/v2/principals/" + percent_encoded(options.principal);
}

std::string grants_target(const Options& options) {
  return "/v2/models/" + percent_encoded(options.model) + "/grants";
}

void print_principals(const JsonValue& principals) {
  if (principals.items().empty()) return print_line("you created no principals yet");
  std::printf("%-40s %-8s %s\n", "PRINCIPAL", "ROLE", "TOKENS");
  for (const JsonValue& each : principals.items()) {
    std::printf("%-40s %-8s %s\n", text_member(each, "principal").c_str(),
                text_member(each, "role").c_str(), number_member(each, "tokens").c_str());
  }
}

void print_grants(const JsonValue& grants) {
  if (grants.items().empty()) return print_line("granted to nobody");
  std::printf("%-40s %-24s %7s  %s\n", "PRINCIPAL", "RIGHTS", "VERSION", "EXPIRES");
  for (const JsonValue& each : grants.items()) {
    std::string rights;
    if (const JsonValue* list = each.find("rights")) {
      for (const JsonValue& right : list->items()) {
        rights += (rights.empty() ? "" : ",") + printable(right.text().value_or(""));
      }
    }
    const std::string version = number_member(each, "version");
    const std::string expires = number_member(each, "expires_at");
    std::printf("%-40s %-24s %7s  %s\n", text_member(each, "principal").c_str(), rights.c_str(),
                version.empty() ? "all" : version.c_str(),
                expires.empty() ? "never" : ("@" + expires).c_str());
    if (each.find("receipts") != nullptr) print_line("  a receipt with each answer");
  }
}

Outcome add_principal(const Options& options, Tools& tools) {
  std::string body;
  JsonWriter(body)
      .begin_object()
      .key("name")
      .text(options.principal)
      .key("role")
      .text(options.role)
      .end_object();
  return ask(options, tools, {"POST", "/v2/principals", {kJson}}, body,
             [](const JsonValue& made) { print_line(text_member(made, "principal")); });
}

Outcome give_grant(const Options& options, Tools& tools) {
  std::string body;
  JsonWriter out(body);
  out.begin_object().key("principal").text(options.principal).key("rights").begin_array();
  for (const std::string& right : options.rights) out.text(right);
  out.end_array();
  if (options.granted_version != 0) out.key("version").unsigned_integer(options.granted_version);
  if (options.granted_days != 0) {
    out.key("expires_in").unsigned_integer(options.granted_days * 86400ULL);
  }
  if (options.always_receipts) out.key("receipts").text("always");
  out.end_object();
  return ask(options, tools, {"PUT", grants_target(options), {kJson}}, body, print_grants);
}

Outcome take_back_grant(const Options& options, Tools& tools) {
  std::string target = grants_target(options) + "?principal=" + percent_encoded(options.principal);
  if (options.granted_version != 0) {
    target += "&version=" + std::to_string(options.granted_version);
  }
  return ask(options, tools, {"DELETE", target, {}}, "", print_grants);
}

}  // namespace

Outcome run_access(const Options& options, Tools& tools) {
  switch (options.command) {
    case Command::new_token: return new_token(options, tools);
    case Command::revoke_tokens: return revoke_tokens(options, tools);
    case Command::principals:
      return ask(options, tools, {"GET", "/v2/principals", {}}, "", print_principals);
    case Command::add_principal: return add_principal(options, tools);
    case Command::remove_principal:
      return ask(options, tools, {"DELETE", principal_target(options), {}}, "",
                 [&](const JsonValue&) { print_line("removed " + printable(options.principal)); });
    case Command::grants:
      return ask(options, tools, {"GET", grants_target(options), {}}, "", print_grants);
    case Command::give_grant: return give_grant(options, tools);
    case Command::take_back_grant: return take_back_grant(options, tools);
    default: return Outcome::usage;
  }
}

}  // namespace cloister
