#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

namespace cloister {
namespace {

constexpr const char* kIntroduction =
    "cloister: the client of a confidential inference server\n\n"
    "Every command that talks to a server first checks its evidence over its own connection, and\n"
    "sends neither token nor data to one that it does not accept.";

constexpr const char* kLesson =
    R"(First steps, against a server started with `cloisterd --dev FOLDER`:
  export CLOISTER_TOKEN=...        the token that the server printed at its first start
  S="--server https://127.0.0.1:8443 --allow-simulation"
  cloister attest $S               who is there, and what is not proven
  cloister check digits.onnx       what the server would say to this model, without one
  cloister upload $S digits 1 digits.onnx
  cloister models $S
  cloister infer  $S digits --input image.npy --output scores.npy

A server on real hardware needs a policy that says which code you accept:
  cloister policy new > policy.json        then fill in the measurement that you built yourself
  cloister attest --server https://host.example --policy policy.json

Exit codes: 0 done, 1 refused, 2 wrong usage or a local file, 3 not verified,
4 unreachable. The token never stands on the command line, where others could read it.)";

void add_common(CLI::App& app, Options& options) {
  app.add_option("--server", options.server, "The server: https://HOST[:PORT]")->type_name("URL");
  app.add_option("--token-file", options.token_file,
                 "Read the token from FILE, or from standard input with -\n"
                 "(otherwise from the environment's CLOISTER_TOKEN)")
      ->type_name("FILE");
  app.add_option("--policy", options.policy_file, "Which evidence to accept")->type_name("FILE");
  app.add_option("--endorsements", options.endorsements,
                 "The vendor's collateral: a file of `collateral fetch`, or a folder of documents")
      ->type_name("PATH");
  app.add_flag("--allow-simulation", options.allow_simulation,
               "Accept a simulated platform, which protects nothing from its owner");
  app.add_flag("--json", options.json, "Print JSON, for programs");
  app.add_flag("--progress", options.progress, "Show progress even where there is no terminal");
}

/// Adds subcommands that all write to the same options.
class Commands {
 public:
  Commands(CLI::App& app, Options& options) : app_(app), options_(options) {}

  CLI::App* add(CLI::App& parent, const char* name, const char* says, Command command) {
    CLI::App* sub = parent.add_subcommand(name, says);
    sub->fallthrough();
    sub->callback([this, command] { options_.command = command; });
    return sub;
  }

  void add_all() {
    add_attest();
    add_check();
    CLI::App* upload = add(app_, "upload", "Store a model, encrypted", Command::upload);
    upload->add_option("MODEL", options_.model, "Its name")->required();
    upload->add_option("VERSION", options_.version, "Its number, from 1")->required();
    upload->add_option("FILE", options_.file, "An ONNX file")->required();
    upload->footer("A version never changes: the same bytes again are no error, others are.\n"
                   "Data files beside the model (model.onnx.data) are sent as part of it.\n"
                   "Example: cloister upload --server URL digits 1 digits.onnx");
    CLI::App* models = add(app_, "models", "List your models, or describe one", Command::models);
    models->add_option("MODEL", options_.model, "Describe this one: inputs, outputs, digest");
    add_infer();
    add_model_command("load", "Bring a model into memory before its first use", Command::load);
    add_model_command("unload", "Take a model out of memory", Command::unload);
    CLI::App* erase = add(app_, "delete", "Erase a version and its keys", Command::erase);
    erase->add_option("MODEL", options_.model, "Its name")->required();
    erase->add_option("VERSION", options_.version, "Its number, never used again")->required();
    add_token();
    add_principals();
    add_certificates(*app_.get_subcommand("principal"));
    add_grants();
    add_exports();
    add_verify_receipt();
    add_seal();
    add_proxy();
    add_collateral();
    CLI::App* policy = app_.add_subcommand("policy", "Make a policy file");
    policy->fallthrough();
    policy->require_subcommand(1);
    add(*policy, "new", "Print a policy file with every key explained", Command::new_policy);
  }

 private:
  void add_check() {
    CLI::App* check = add(app_, "check", "Say what the server would say to a model, without one",
                          Command::check);
    check->add_option("FILE", options_.file, "An ONNX file")->required();
    check->footer("Prints inputs, outputs, operators, parameters and cost, or every finding.\n"
                  "Ends with 0 where the model is accepted, with 1 where it is refused.\n"
                  "Example: cloister check model.onnx --json");
  }

  void add_model_command(const char* name, const char* says, Command command) {
    add(app_, name, says, command)->add_option("MODEL", options_.model, "Its name")->required();
  }

  void add_attest() {
    CLI::App* attest = add(app_, "attest", "Check the server's evidence and print who it is",
                           Command::attest);
    attest->add_option("--evidence", options_.evidence,
                       "Judge recorded evidence instead, without any connection: a quote, a\n"
                       "report, a certificate, a TPM quote, or a folder with one of them")
        ->type_name("PATH");
    attest->add_option("--at", options_.at, "Judge as of this time (2026-01-31T12:00:00Z)")
        ->type_name("TIME");
    attest->add_option("--nonce", options_.nonce, "What a recorded TPM quote should hold")
        ->type_name("HEX");
    attest->add_flag("--print-pin", options_.print_pin,
                     "Print nothing but the pin for curl --pinnedpubkey");
    attest->footer("Prints the pin for `curl --pinnedpubkey`, too.\n"
                   "Example: cloister attest --evidence td.quote --endorsements FOLDER --json");
  }

  void add_infer() {
    CLI::App* infer = add(app_, "infer", "Run a model on your data", Command::infer);
    infer->add_option("MODEL", options_.model, "Its name, or OWNER.NAME")->required();
    infer->add_option("--model-version", options_.version, "A version (otherwise the newest)");
    infer->add_option("--input", options_.inputs,
                      "FILE.npy, FILE.npz or FILE.json, or NAME=FILE.npy for each input")
        ->required()
        ->allow_extra_args(false)
        ->type_name("FILE");
    infer->add_option("--output", options_.output,
                      "Write the result to FILE.npy, FILE.npz or FILE.json (otherwise print it)")
        ->type_name("FILE");
    infer->add_option("--select", options_.selected, "Only this output; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME");
    infer->add_option("--model-sha256", options_.model_sha256,
                      "Refuse any other model than the file with this digest")
        ->type_name("HEX");
    infer->add_option("--receipt", options_.receipt,
                      "Ask for a receipt and keep it in FOLDER, with what proves it")
        ->type_name("FOLDER");
    infer->footer(
        "Examples:\n"
        "  cloister infer --server URL digits --input image.npy\n"
        "  cloister infer --server URL bert --input input_ids=ids.npy --input mask=mask.npy \\\n"
        "      --output result.npz --model-sha256 \"$(sha256sum bert.onnx | cut -d' ' -f1)\"");
  }

  void add_token() {
    CLI::App* token = app_.add_subcommand("token", "Make or revoke tokens");
    token->fallthrough();
    token->require_subcommand(1);
    CLI::App* make = add(*token, "new", "Make a token and print it once", Command::new_token);
    make->add_option("PRINCIPAL", options_.principal, "Whose token")->required();
    make->add_option("--days", options_.days, "How long it is good for")
        ->check(CLI::Range(1U, 3650U));
    make->add_option("--output", options_.output, "Write it to FILE (mode 0600) instead")
        ->type_name("FILE");
    add(*token, "revoke", "Revoke all tokens of a principal", Command::revoke_tokens)
        ->add_option("PRINCIPAL", options_.principal, "Whose tokens")
        ->required();
  }

  void add_seal() {
    CLI::App* seal = add(app_, "seal", "Encrypt a model so that one attested server can open it",
                         Command::seal);
    seal->add_option("MODEL", options_.model, "What it will be called")->required();
    seal->add_option("VERSION", options_.granted_version, "Its number, from 1")->required();
    seal->add_option("FILE", options_.file, "An ONNX file")->required();
    seal->add_option("--owner", options_.principal, "The only principal who can upload it")
        ->required();
    seal->add_option("--output", options_.output, "The sealed file to make")
        ->required()
        ->type_name("FILE");
    seal->add_option("--days", options_.days, "How long it may be uploaded")
        ->check(CLI::Range(1U, 3650U))
        ->capture_default_str();
    seal->add_flag("--any-software", options_.any_software,
                   "Let other software behind the same key open it, after an upgrade");
    seal->add_flag("--any-configuration", options_.any_configuration,
                   "Let the server open it under another configuration");
    seal->footer("The file may travel through any hands; its owner uploads it like any model.\n"
                 "Example: cloister seal --server URL --policy FILE digits 1 digits.onnx \\\n"
                 "             --owner clinic --output digits.sealed");
  }

  void add_verify_receipt() {
    CLI::App* verify = add(app_, "verify-receipt", "Judge a kept receipt, without any connection",
                           Command::verify_receipt);
    verify->add_option("FOLDER", options_.receipt, "What infer --receipt made")->required();
    verify->add_option("--request", options_.request_file, "The request's body")->type_name("FILE");
    verify->add_option("--response", options_.response_file, "The response's body")
        ->type_name("FILE");
    verify->add_option("--at", options_.at, "Judge the evidence as of this time (otherwise: when\n"
                                            "the server says that it signed)")
        ->type_name("TIME");
    verify->add_option("--newer", options_.newer, "Collateral of today: whether the platform or a\n"
                                                  "key was revoked since")
        ->type_name("PATH");
  }

  void add_exports() {
    CLI::App* usage = add(app_, "usage", "Who used your models, and what you used",
                          Command::usage);
    CLI::App* audit = add(app_, "audit", "What was done to what is yours", Command::audit);
    audit->add_flag("--of-server", options_.of_server, "What happened to the server instead");
    audit->add_option("--after", options_.after, "Only events after this number");
    for (CLI::App* each : {usage, audit}) {
      each->add_option("--keep", options_.receipt,
                       "Keep what the server signed in FOLDER, with what proves it")
          ->type_name("FOLDER");
    }
    CLI::App* verify = add(app_, "verify-export", "Judge kept usage or a kept audit trail, and "
                           "print it, without any connection", Command::verify_export);
    verify->add_option("FOLDER", options_.receipt, "What --keep made")->required();
    verify->add_option("--earlier", options_.earlier,
                       "An audit trail kept before: this one must go on where it ended")
        ->type_name("FOLDER");
    verify->add_option("--at", options_.at, "Judge the evidence as of this time (otherwise: when\n"
                                            "the server says that it signed)")
        ->type_name("TIME");
    for (CLI::App* each : {usage, audit, verify}) {
      each->add_flag("--csv", options_.csv, "Print comma-separated values");
    }
  }

  void add_principals() {
    CLI::App* principal = app_.add_subcommand("principal", "Whom you let in: list, add, remove");
    principal->fallthrough();
    principal->require_subcommand(1);
    add(*principal, "list", "List those whom you created", Command::principals);
    CLI::App* create = add(*principal, "add", "Create one and print his id",
                           Command::add_principal);
    create->add_option("NAME", options_.principal, "What his id begins with")->required();
    create->add_option("--role", options_.role, "caller, owner or operator")
        ->check(CLI::IsMember({"caller", "owner", "operator"}))
        ->capture_default_str();
    create->footer("Then give him a token: cloister token new ID --output FILE");
    CLI::App* quota = add(*principal, "quota", "Show how much one may use, or set it",
                          Command::quota);
    quota->add_option("ID", options_.principal, "His id")->required();
    quota->add_option("LIMIT", options_.limits,
                      "NAME=NUMBER each, for the whole quota anew: requests, compute_seconds (in\n"
                      "each interval), runs (at once), stored_bytes, versions, interval (seconds)");
    quota->add_flag("--none", options_.no_limits, "Take the quota away");
    quota->footer("Example: cloister principal quota bank-k3v9qa2m requests=1000 interval=60");
    add(*principal, "remove", "Forget one and his tokens", Command::remove_principal)
        ->add_option("ID", options_.principal, "His id")
        ->required();
  }

  void add_certificates(CLI::App& principal) {
    CLI::App* set = add(principal, "certificate", "Say which TLS client certificate proves one",
                        Command::set_certificate);
    set->add_option("ID", options_.principal, "His id")->required();
    set->add_option("--key", options_.file, "The key in this certificate (PEM or DER)")
        ->type_name("FILE");
    set->add_option("--authority", options_.authority, "A name below this authority of yours");
    set->add_option("--name", options_.name, "The name: DNS, mail, URI or common name");
    set->add_flag("--none", options_.no_limits, "No certificate");
    CLI::App* authority = app_.add_subcommand("authority", "Whose certificates you accept for "
                                              "principals of yours: list, add, remove");
    authority->fallthrough();
    authority->require_subcommand(1);
    add(*authority, "list", "List them", Command::authorities);
    CLI::App* make = add(*authority, "add", "Add one", Command::add_authority);
    make->add_option("NAME", options_.authority, "What you call it")->required();
    make->add_option("FILE", options_.file, "Its certificate (PEM or DER)")->required();
    add(*authority, "remove", "Remove one", Command::drop_authority)
        ->add_option("NAME", options_.authority, "What you call it")
        ->required();
  }

  void add_grants() {
    CLI::App* grant = add(app_, "grant", "Let somebody use a model of yours", Command::give_grant);
    grant->add_option("MODEL", options_.model, "Its name")->required();
    grant->add_option("PRINCIPAL", options_.principal, "His id")->required();
    grant->add_option("--rights", options_.rights, "infer, metadata, manage")
        ->required()
        ->delimiter(',')
        ->check(CLI::IsMember({"infer", "metadata", "manage"}));
    grant->add_option("--for-version", options_.granted_version, "This version alone");
    grant->add_option("--days", options_.granted_days, "For so long (otherwise until taken back)")
        ->check(CLI::Range(1U, 3650U));
    grant->add_flag("--receipts", options_.always_receipts, "Each answer carries a receipt");
    grant->footer("He calls it OWNER.MODEL, OWNER being your id.\n"
                  "Example: cloister grant --server URL digits bank-k3v9qa2m --rights infer");
    CLI::App* take = add(app_, "ungrant", "Take a grant back, at once", Command::take_back_grant);
    take->add_option("MODEL", options_.model, "Its name")->required();
    take->add_option("PRINCIPAL", options_.principal, "His id")->required();
    take->add_option("--for-version", options_.granted_version, "The grant of this version");
    add(app_, "grants", "List the grants of a model of yours", Command::grants)
        ->add_option("MODEL", options_.model, "Its name")
        ->required();
  }

  void add_collateral() {
    CLI::App* collateral = app_.add_subcommand("collateral", "What vendors say of platforms");
    collateral->fallthrough();
    collateral->require_subcommand(1);
    CLI::App* fetch = add(*collateral, "fetch",
                          "Fetch what a server's evidence needs to be judged, into one file",
                          Command::fetch_collateral);
    fetch->add_option("--output", options_.output, "The file, for --endorsements later")
        ->required()
        ->type_name("FILE");
    fetch->add_option("--evidence", options_.evidence, "Recorded evidence instead of a server's")
        ->type_name("PATH");
    fetch->add_option("--at", options_.at, "Judge as of this time (2026-01-31T12:00:00Z)")
        ->type_name("TIME");
    fetch->add_option("--intel-service", options_.intel_service,
                      "A cache that serves the paths of Intel's PCS, version 4")
        ->type_name("URL");
    fetch->add_option("--amd-service", options_.amd_service,
                      "A cache that serves the paths of AMD's KDS")
        ->type_name("URL");
    fetch->add_option("--service-roots", options_.service_roots,
                      "Trust a service by the roots in FILE (PEM), not by the system's")
        ->type_name("FILE");
    fetch->add_option("--product", options_.product,
                      "For SNP reports of version 2, which do not name their product")
        ->check(CLI::IsMember({"milan", "genoa", "turin"}));
    fetch->add_flag("--renew", options_.renew, "Fetch even where the file is still good");
    fetch->footer("Other commands fetch nothing: they take what --endorsements names.\n"
                  "Example: cloister collateral fetch --server URL --output collateral.json\n"
                  "  then:  cloister attest --server URL --policy policy.json \\\n"
                  "             --endorsements collateral.json");
  }

  void add_proxy() {
    CLI::App* proxy = add(app_, "proxy", "Let programs on this machine use the server unchanged",
                          Command::proxy);
    proxy->add_option("--listen", options_.listen,
                      "127.0.0.1:PORT (0: any free one), [::1]:PORT, or unix:PATH")
        ->type_name("ADDRESS")
        ->capture_default_str();
    proxy->add_flag("--add-token", options_.add_token,
                    "Send your token with every request that brings none of its own:\n"
                    "whoever may connect here then acts in your name");
    proxy->footer(
        "Verifies the server at the start and again for every connection to it, then forwards\n"
        "the paths below /v2 over plain HTTP. Web pages are refused. A Unix socket is for its\n"
        "owner alone; a port is for every user of this machine.\n"
        "Example: cloister proxy --server https://host.example --policy policy.json\n"
        "  then:  curl http://127.0.0.1:8000/v2 -H \"Authorization: Bearer $CLOISTER_TOKEN\"");
  }

  CLI::App& app_;
  Options& options_;
};

}  // namespace

std::variant<Options, Outcome> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app(kIntroduction, "cloister");
  app.footer(kLesson);
  app.set_version_flag("--version", "cloister " CLOISTER_VERSION);
  app.require_subcommand(1);
  add_common(app, options);
  Commands commands(app, options);
  commands.add_all();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    const int code = app.exit(error, out, complaint);
    std::fputs(out.str().c_str(), stdout);
    if (!out.str().ends_with('\n') && !out.str().empty()) std::fputc('\n', stdout);
    std::fputs(complaint.str().c_str(), stderr);
    return code == 0 ? Outcome::done : Outcome::usage;
  }
  const bool is_offline = options.command == Command::new_policy ||
                          options.command == Command::check ||
                          options.command == Command::verify_receipt ||
                          options.command == Command::verify_export || !options.evidence.empty();
  if (options.server.empty() && !is_offline) {
    std::fputs("cloister: --server URL is missing; `cloister --help` shows examples\n", stderr);
    return Outcome::usage;
  }
  return options;
}

}  // namespace cloister
