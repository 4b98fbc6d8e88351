#include "commands.h"

#include <cstdio>
#include <string>

#include "encoding/base64.h"
#include "encoding/json.h"
#include "local_files.h"
#include "receipt_folder.h"
#include "server_access.h"

namespace cloister {
namespace {

std::string model_target(const Options& options) {
  std::string target = "/v2/models/" + percent_encoded(options.model);
  if (!options.version.empty()) target += "/versions/" + percent_encoded(options.version);
  return target;
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
  const auto model = open_model(options.file);
  if (!model.ok()) return ConsoleReport::failed(model.error());
  ServerAccess access = open_server(options, tools, TokenUse::required);
  if (!access.session) return access.outcome;
  ProgressBar bar(tools.clock, options.progress || errors_go_to_a_terminal());
  ClientBody body;
  body.file = model.value().file.get();
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
  if (model.value().tensors != 0) print_line(folded_text(model.value()));
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

}  // namespace

Outcome run_command(const Options& options, Tools& tools) {
  switch (options.command) {
    case Command::attest:
      return options.evidence.empty() ? attest(options, tools) : judge_recorded(options, tools);
    case Command::check: return run_check(options);
    case Command::upload: return upload(options, tools);
    case Command::models: return models(options, tools);
    case Command::infer: return run_infer(options, tools);
    case Command::load: return change_residency(options, tools, "load");
    case Command::unload: return change_residency(options, tools, "unload");
    case Command::erase: return erase(options, tools);
    case Command::new_token:
    case Command::revoke_tokens:
    case Command::principals:
    case Command::add_principal:
    case Command::remove_principal:
    case Command::grants:
    case Command::give_grant:
    case Command::quota:
    case Command::authorities:
    case Command::add_authority:
    case Command::drop_authority:
    case Command::set_certificate:
    case Command::take_back_grant: return run_access(options, tools);
    case Command::usage:
    case Command::audit: return run_export(options, tools);
    case Command::verify_export: return verify_kept_export(options);
    case Command::seal: return run_seal(options, tools);
    case Command::verify_receipt: return verify_kept_receipt(options, tools.clock.utc());
    case Command::fetch_collateral: return fetch_collateral_for(options, tools);
    case Command::proxy: return run_proxy(options, tools);
    case Command::new_policy: print_text(policy_template()); return Outcome::done;
  }
  return Outcome::usage;
}

}  // namespace cloister
