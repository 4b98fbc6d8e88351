// Who may use what: principals, tokens, grants.
#include <cstdio>
#include <string>

#include "commands.h"
#include "crypto/x509.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"
#include "local_files.h"
#include "server_access.h"
#include "verifier/chain.h"

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

std::string authority_target(const Options& options) {
  return "/v2/authorities/" + percent_encoded(options.authority);
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

void print_quota(const JsonValue& quota) {
  for (const JsonMember& each : quota.members()) {
    print_line(printable(each.key) + "=" + printable(each.value.raw()));
  }
}

/// NAME=NUMBER each; the server says which names there are.
Outcome quota(const Options& options, Tools& tools) {
  const std::string target = principal_target(options) + "/quota";
  if (options.limits.empty() && !options.no_limits) {
    return ask(options, tools, {"GET", target, {}}, "", print_quota);
  }
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  for (const std::string& each : options.limits) {
    const std::size_t at = each.find('=');
    const std::string number = at == each.npos ? "" : each.substr(at + 1);
    const bool digits = !number.empty() && number.size() <= 16 &&
                        number.find_first_not_of("0123456789") == number.npos;
    if (!digits || options.no_limits) return wrong_usage(each + ": expected NAME=NUMBER");
    out.key(each.substr(0, at)).unsigned_integer(std::stoull(number));
  }
  out.end_object();
  return ask(options, tools, {"PUT", target, {kJson}}, body, print_quota);
}

/// The one certificate in a file, PEM or DER, as DER.
Result<ByteVector> read_certificate(const std::string& file) {
  CLOISTER_ASSIGN(ByteVector content, read_local_file(file, kCertificateBytesMax));
  if (!text_of(content).starts_with("-----BEGIN")) return content;
  CLOISTER_ASSIGN(auto certificates, read_pem(content));
  if (certificates.size() == 1) return std::move(certificates.front());
  return Error{Code::invalid, "cli.certificate", Detail(file + ": expected one certificate")};
}

Outcome add_authority(const Options& options, Tools& tools, const std::string& target) {
  const auto der = read_certificate(options.file);
  if (!der.ok()) return ConsoleReport::failed(der.error());
  std::string body;
  JsonWriter(body).begin_object().key("certificate").text(base64_encode(der.value())).end_object();
  return ask(options, tools, {"PUT", target, {kJson}}, body, [&](const JsonValue&) {
    print_line("added " + printable(options.authority));
  });
}

Outcome set_certificate(const Options& options, Tools& tools) {
  const std::string target = principal_target(options) + "/certificate";
  const auto print = [&](const JsonValue&) {
    print_line(options.no_limits ? "no certificate proves " + printable(options.principal)
                                 : "set for " + printable(options.principal));
  };
  if (options.no_limits) return ask(options, tools, {"DELETE", target, {}}, "", print);
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  if (options.file.empty()) {
    out.key("authority").text(options.authority).key("name").text(options.name);
  } else {
    const auto der = read_certificate(options.file);
    if (!der.ok()) return ConsoleReport::failed(der.error());
    const auto certificate = Certificate::parse(der.value());
    if (!certificate.ok()) return ConsoleReport::failed(certificate.error());
    out.key("key").text(hex_encode(sha256(certificate.value().spki())));
  }
  out.end_object();
  return ask(options, tools, {"PUT", target, {kJson}}, body, print);
}

void print_authorities(const JsonValue& authorities) {
  if (authorities.items().empty()) return print_line("you added no authorities");
  for (const JsonValue& each : authorities.items()) {
    print_line(text_member(each, "authority") + "  sha256:" + text_member(each, "sha256"));
  }
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
    case Command::authorities:
      return ask(options, tools, {"GET", "/v2/authorities", {}}, "", print_authorities);
    case Command::add_authority: return add_authority(options, tools, authority_target(options));
    case Command::drop_authority:
      return ask(options, tools, {"DELETE", authority_target(options), {}}, "",
                 [&](const JsonValue&) { print_line("removed " + printable(options.authority)); });
    case Command::set_certificate: return set_certificate(options, tools);
    case Command::quota: return quota(options, tools);
    case Command::take_back_grant: return take_back_grant(options, tools);
    default: return Outcome::usage;
  }
}

}  // namespace cloister
