#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "console.h"

namespace cloister {

enum class Command {
  attest, check, upload, models, infer, load, unload, erase, new_token, revoke_tokens, new_policy,
  proxy, principals, add_principal, remove_principal, grants, give_grant, take_back_grant, usage,
  quota, authorities, add_authority, drop_authority, set_certificate, audit, verify_export,
  verify_receipt, seal, fetch_collateral
};

/// What the person asked for. Names and paths as given, unchecked.
struct Options {
  Command command = Command::attest;
  // For every command.
  std::string server;
  std::string token_file;  ///< "-" for standard input; empty: CLOISTER_TOKEN
  std::string policy_file, endorsements;
  bool allow_simulation = false;
  bool json = false;
  bool progress = false;
  // For some.
  std::string model, version, file;
  std::vector<std::string> inputs;  ///< FILE, or NAME=FILE each
  std::string output;
  std::vector<std::string> selected;  ///< outputs
  std::string model_sha256;
  std::string receipt;  ///< the folder where a receipt or an export is kept, or judged
  std::string request_file, response_file;  ///< verify-receipt: the bodies it should be about
  std::string principal;
  unsigned days = 30;
  std::string role = "caller";             ///< principal add
  std::vector<std::string> rights;         ///< grant
  std::uint64_t granted_version = 0;       ///< grant, ungrant: 0 for all
  unsigned granted_days = 0;               ///< grant: 0 for ever
  bool always_receipts = false;            ///< grant
  bool csv = false;                        ///< usage, audit, verify-export
  std::vector<std::string> limits;         ///< principal quota: NAME=NUMBER each
  bool no_limits = false;      ///< principal quota, principal certificate: take it away
  std::string authority, name;  ///< principal certificate, authority
  bool of_server = false;                  ///< audit: of the server
  std::uint64_t after = 0;                 ///< audit: events after this number
  std::string earlier;                     ///< verify-export: a folder kept before
  bool any_software = false, any_configuration = false;  ///< seal
  std::string evidence;        ///< attest: recorded evidence, a file or a folder
  std::string newer;           ///< verify-receipt: collateral of today
  std::string at, nonce;       ///< attest: judge at this time; what a TPM quote should hold
  bool print_pin = false;      ///< attest: print the pin alone
  std::string intel_service, amd_service, service_roots, product;  ///< collateral
  bool renew = false;                                              ///< collateral
  std::string listen = "127.0.0.1:8000";  ///< proxy
  bool add_token = false;                 ///< proxy
};

/// The options; or, where there is nothing to do (help, a wrong command line), what to end with.
/// What there is to say has been said then.
std::variant<Options, Outcome> parse_options(int argc, char** argv);

}  // namespace cloister
