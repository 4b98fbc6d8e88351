#include "server_access.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>

#include "client/collateral.h"
#include "local_files.h"

namespace cloister {
namespace {

constexpr JsonLimits kAnswerLimits{.bytes_max = 64U << 20, .values_max = 1U << 20};
constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::uint64_t kEndorsementBytesMax = 4ULL << 20;
constexpr std::size_t kEndorsementFilesMax = 64;

ByteVector read_standard_input() {
  ByteVector text(kTokenBytesMax + 1);
  text.resize(std::fread(text.data(), 1, text.size(), stdin));
  return text;
}

ServerAccess failed(const Error& error) {
  ServerAccess access;
  access.outcome = ConsoleReport::failed(error);
  return access;
}

}  // namespace

Result<SecretBytes> read_token(const Options& options, const Tools& tools) {
  ByteVector text;
  if (options.token_file == "-") {
    text = read_standard_input();
  } else if (!options.token_file.empty()) {
    CLOISTER_ASSIGN(text, read_local_file(options.token_file, kTokenBytesMax));
  } else {
    text = copy_of(bytes_of(tools.environment_token));
  }
  const auto is_blank = [](std::byte each) { return each <= std::byte{' '}; };
  while (!text.empty() && is_blank(text.back())) text.pop_back();
  const auto begin = std::find_if_not(text.begin(), text.end(), is_blank);
  SecretBytes token(ByteVector(begin, text.end()));
  wipe(text);
  if (token.empty()) {
    return Error{Code::unauthenticated, "cli.token",
                 Detail("no token: set CLOISTER_TOKEN, or give --token-file FILE (- for standard "
                        "input)")};
  }
  if (token.size() > kTokenBytesMax) {
    return Error{Code::too_large, "cli.token", Detail("this is no token: it is too long")};
  }
  return token;
}

void say_refusal(const Verdict& verdict, const Options& options) {
  std::fputs("cloister: the server is not verified; no token and no data was sent to it\n", stderr);
  std::fputs(printable(verdict_text(verdict)).c_str(), stderr);
  if (verdict.kind == EvidenceKind::simulated && verdict.authentic && !options.allow_simulation) {
    std::fputs("cloister: to try out a simulated server, which protects nothing from its owner, "
               "add --allow-simulation\n", stderr);
  }
}

Result<TrustSettings> trust_settings(const Options& options) {
  TrustSettings trust;
  if (!options.policy_file.empty()) {
    CLOISTER_ASSIGN(const ByteVector text, read_local_file(options.policy_file, kPolicyBytesMax));
    CLOISTER_ASSIGN(trust.policy, read_policy(text_of(text)));
  }
  if (options.allow_simulation) trust.policy.allow_simulation = true;
  if (options.endorsements.empty()) return trust;
  std::map<std::string, ByteVector> files;
  std::error_code error;
  if (!std::filesystem::is_directory(options.endorsements, error)) {
    CLOISTER_ASSIGN(const ByteVector text,
                    read_local_file(options.endorsements, kCollateralBundleMax));
    CLOISTER_ASSIGN(files, read_collateral_bundle(text_of(text)));
    trust.endorsements = endorsements_of(files);
    return trust;
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(options.endorsements, error)) {
    if (!entry.is_regular_file(error) || files.size() >= kEndorsementFilesMax) continue;
    CLOISTER_ASSIGN(ByteVector content,
                    read_local_file(entry.path().string(), kEndorsementBytesMax));
    files.emplace(entry.path().filename().string(), std::move(content));
  }
  if (error) {
    return Error{Code::not_found, "cli.endorsements",
                 Detail(options.endorsements + ": cannot be read")};
  }
  trust.endorsements = endorsements_of(files);
  return trust;
}

ServerAccess open_server(const Options& options, Tools& tools, TokenUse token_use) {
  const auto url = parse_server_url(options.server);
  if (!url.ok()) return failed(url.error());
  const auto trust = trust_settings(options);
  if (!trust.ok()) return failed(trust.error());
  SecretBytes token;
  if (token_use == TokenUse::required) {
    auto read = read_token(options, tools);
    if (!read.ok()) return failed(read.error());
    token = std::move(read).value();
  }
  auto opened = ClientSession::open(url.value(), trust.value(), tools.clock, tools.entropy);
  if (!opened.ok()) return failed(opened.error());
  ServerAccess access{std::move(opened.value().session), std::move(opened.value().verdict),
                      Outcome::done};
  if (!access.session) {
    say_refusal(access.verdict, options);
    access.outcome = Outcome::not_verified;
    return access;
  }
  access.session->use_token(std::make_shared<const SecretBytes>(std::move(token)));
  return access;
}

std::string text_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  return member == nullptr ? std::string() : printable(member->text().value_or(""));
}

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
