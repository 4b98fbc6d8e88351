#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/entropy.h"
#include "client/session.h"
#include "console.h"
#include "encoding/json.h"
#include "options.h"

namespace cloister {

/// What commands work with beside their options.
struct Tools {
  const Clock& clock;
  Entropy& entropy;
  std::string environment_token;  ///< CLOISTER_TOKEN, or empty
};

/// A verified server, or what to end with; what there is to say has been said then.
struct ServerAccess {
  std::unique_ptr<ClientSession> session;
  Verdict verdict;
  Outcome outcome = Outcome::done;
};

enum class TokenUse { required, none };

/// The policy and the endorsements that the options name. Fails: as reading the files does.
Result<TrustSettings> trust_settings(const Options& options);

/// The token from where the options say, without the blanks around it. Fails: `unauthenticated`
/// where there is none, as reading the file does.
Result<SecretBytes> read_token(const Options& options, const Tools& tools);

/// Says on standard error why the server is refused.
void say_refusal(const Verdict& verdict, const Options& options);

/// Connects and verifies; with a token, only after the verdict.
ServerAccess open_server(const Options& options, Tools& tools, TokenUse token_use);

/// Verifies the server, sends one request with the token, and hands a good answer to `print`; with
/// --json the answer is printed as it came instead.
Outcome ask(const Options& options, Tools& tools, ClientRequest request, const std::string& body,
            const std::function<void(const JsonValue&)>& print);

/// A text member of an object, made printable; empty where there is none.
std::string text_member(const JsonValue& object, std::string_view name);
/// A number, or a text that is one.
std::string number_member(const JsonValue& object, std::string_view name);

}  // namespace cloister
