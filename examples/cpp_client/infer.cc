// Runs a model on one .npy file, after verifying the server: what a program of your own does with
// the client library (docs/client.md).
//
//   example_cpp_client https://HOST[:PORT] POLICY TOKEN_FILE MODEL INPUT.npy
//
// POLICY says which evidence to accept (`cloister policy new`). Ends with 3 where the server is
// not verified: nothing was sent to it then.
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "client/session.h"

namespace cloister {

/// Who may read the Details of errors: whoever speaks to the person at the program.
class ConsoleReport {
 public:
  static int failed(const Error& error) {
    const std::string& detail = error.detail.reveal(DetailToken());
    std::fprintf(stderr, "%s: %s\n", name_of(error.code), detail.c_str());
    return error.code == Code::unverified ? 3 : 1;
  }
};

namespace {

std::string content_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A token file's content, without the newline at its end.
SecretBytes token_in(const char* path) {
  std::string text = content_of(path);
  while (text.ends_with('\n')) text.pop_back();
  return SecretBytes(copy_of(bytes_of(text)));
}

int run(char** arguments) {
  const Result<ServerUrl> url = parse_server_url(arguments[1]);
  if (!url.ok()) return ConsoleReport::failed(url.error());
  Result<Policy> policy = read_policy(content_of(arguments[2]));
  if (!policy.ok()) return ConsoleReport::failed(policy.error());

  // Connects, judges the certificate's evidence, then fresh evidence over this very connection.
  const PosixClock clock;
  PosixEntropy entropy;
  auto opened = ClientSession::open(url.value(), {std::move(policy).value(), {}}, clock, entropy);
  if (!opened.ok()) return ConsoleReport::failed(opened.error());
  if (!opened.value().verdict.accepted()) {
    std::fputs(verdict_text(opened.value().verdict).c_str(), stderr);
    return 3;
  }
  ClientSession& session = *opened.value().session;
  session.use_token(std::make_shared<const SecretBytes>(token_in(arguments[3])));

  const std::string input = content_of(arguments[5]);
  const std::string target = "/v2/models/" + percent_encoded(arguments[4]) + "/infer";
  const ClientRequest request{
      "POST", target, {{"content-type", "application/x-npy"}, {"accept", "application/json"}}};
  const auto answer = session.send(request, {bytes_of(input), nullptr, {}});
  if (!answer.ok()) return ConsoleReport::failed(answer.error());
  std::printf("%s\n", answer.value().body.c_str());
  return answer.value().status == 200 ? 0 : 1;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s URL POLICY TOKEN_FILE MODEL INPUT.npy\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);  // a connection that breaks is an error like any other
  return cloister::run(argv);
}
