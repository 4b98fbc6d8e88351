#include "commands.h"

#include <cstdio>
#include <string>

#include "encoding/base64.h"
#include "encoding/json.h"
#include "local_files.h"

namespace cloister {
namespace {

constexpr JsonLimits kAnswerLimits{.bytes_max = 64U << 20, .values_max = 1U << 20};

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

std::string model_target(const Options& options) {
  std::string target = "/v2/models/" + percent_encoded(options.model);
  if (!options.version.empty()) target += "/versions/" + percent_encoded(options.version);
  return target;
}

/// Sends one request and hands a good answer to `print`.
template <class Print>
Outcome ask(const Options& options, Tools& tools, ClientRequest request, const std::string& body,
            Print&& print) {
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

Outcome attest(const Options& options, Tools& tools) {
  ServerAccess access = open_server(options, tools, TokenUse::none);
  const bool judged = access.session || access.outcome == Outcome::not_verified;
  if (options.json && judged) print_line(verdict_json(access.verdict));
  if (!access.session) return access.outcome;
  if (options.json) return Outcome::done;
  if (!options.print_pin) print_text(printable(verdict_text(access.verdict)));
  if (access.verdict.pubkey_hash) {
    const std::string pin = "sha256//" + base64_encode(*access.verdict.pubkey_hash);
    print_line(options.print_pin ? pin : "curl --insecure --pinnedpubkey " + pin + " " +
                                             printable(options.server) + "/v2");
  }
  return Outcome::done;
}

Outcome upload(const Options& options, Tools& tools) {
  const auto file = open_local_file(options.file);
  if (!file.ok()) return ConsoleReport::failed(file.error());
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  ProgressBar bar(tools.clock, options.progress || errors_go_to_a_terminal());
  ClientBody body;
  body.file = file.value().get();
  body.progress = [&bar](std::uint64_t sent, std::uint64_t total) { bar.update(sent, total); };
  const auto response = access.session->upload(options.model, options.version, body);
  if (!response.ok()) return ConsoleReport::failed(response.error());
  if (response.value().status >= 300) return refused_by_server(response.value(), options.json);
  if (options.json) {
    print_line(response.value().body);
    return Outcome::done;
  }
  const auto stored = parse_json(response.value().body);
  if (!stored.ok()) return ConsoleReport::failed(stored.error());
  const bool created = response.value().status == 201;
  print_line((created ? "stored " : "already there: ") + printable(options.model) + " version " +
             printable(options.version) + ", sha256:" + text_member(stored.value(), "sha256"));
  return Outcome::done;
}

void print_list(const JsonValue& models) {
  if (models.items().empty()) return print_line("no models yet");
  std::printf("%-24s %7s  %-8s %10s  %s\n", "MODEL", "VERSION", "STATE", "SIZE", "SHA-256");
  for (const JsonValue& each : models.items()) {
    const JsonValue* size = each.find("size");
    std::printf("%-24s %7s  %-8s %10s  %s\n", text_member(each, "name").c_str(),
                number_member(each, "version").c_str(), text_member(each, "state").c_str(),
                size_text(size ? size->unsigned_integer().value_or(0) : 0).c_str(),
                text_member(each, "sha256").c_str());
  }
}

void print_tensors(const JsonValue& model, const char* member) {
  const JsonValue* tensors = model.find(member);
  if (tensors == nullptr) return;
  for (const JsonValue& each : tensors->items()) {
    const JsonValue* shape = each.find("shape");
    std::printf("  %-8s %-32s %-6s %s\n", member, text_member(each, "name").c_str(),
                text_member(each, "datatype").c_str(),
                shape ? printable(shape->raw()).c_str() : "");
  }
}

void print_model(const JsonValue& model) {
  print_line(text_member(model, "name"));
  print_tensors(model, "inputs");
  print_tensors(model, "outputs");
  if (const JsonValue* facts = model.find("parameters")) {
    print_line("  version " + number_member(*facts, "version") + ", " +
               number_member(*facts, "size") + " bytes, sha256:" + text_member(*facts, "sha256"));
  }
}

Outcome models(const Options& options, Tools& tools) {
  if (options.model.empty()) {
    return ask(options, tools, {"GET", "/v2/models", {}}, "", print_list);
  }
  return ask(options, tools, {"GET", model_target(options), {}}, "", print_model);
}

Outcome change_residency(const Options& options, Tools& tools, const char* verb) {
  const std::string target =
      "/v2/repository/models/" + percent_encoded(options.model) + "/" + verb;
  return ask(options, tools, {"POST", target, {}}, "", [&](const JsonValue&) {
    print_line(printable(options.model) + ": " + verb + "ed");
  });
}

Outcome erase(const Options& options, Tools& tools) {
  return ask(options, tools, {"DELETE", model_target(options), {}}, "",
             [&](const JsonValue& erased) {
               print_line("erased " + printable(options.model) + " version " +
                          printable(options.version));
               if (text_member(erased, "erasure") == "not-anchored") {
                 print_line("no rollback anchor: whoever keeps an old copy of the store on this "
                            "platform could bring it back");
               }
             });
}

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

}  // namespace

Outcome run_command(const Options& options, Tools& tools) {
  switch (options.command) {
    case Command::attest:
      return options.evidence.empty() ? attest(options, tools) : judge_recorded(options, tools);
    case Command::upload: return upload(options, tools);
    case Command::models: return models(options, tools);
    case Command::infer: return run_infer(options, tools);
    case Command::load: return change_residency(options, tools, "load");
    case Command::unload: return change_residency(options, tools, "unload");
    case Command::erase: return erase(options, tools);
    case Command::new_token: return new_token(options, tools);
    case Command::revoke_tokens: return revoke_tokens(options, tools);
    case Command::proxy: return run_proxy(options, tools);
    case Command::new_policy: print_text(policy_template()); return Outcome::done;
  }
  return Outcome::usage;
}

}  // namespace cloister
