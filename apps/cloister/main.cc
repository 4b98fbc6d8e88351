#include <signal.h>

#include <string_view>
#include <variant>

#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "commands.h"
#include "options.h"

namespace cloister {
namespace {

/// The one thing that is taken from the environment.
std::string token_in(char** environment) {
  constexpr std::string_view kName = "CLOISTER_TOKEN=";
  for (char** each = environment; *each != nullptr; ++each) {
    const std::string_view entry(*each);
    if (entry.starts_with(kName)) return std::string(entry.substr(kName.size()));
  }
  return "";
}

int run(int argc, char** argv, char** environment) {
  const auto parsed = parse_options(argc, argv);
  if (const Outcome* outcome = std::get_if<Outcome>(&parsed)) return static_cast<int>(*outcome);
  const PosixClock clock;
  PosixEntropy entropy;
  Tools tools{clock, entropy, token_in(environment)};
  return static_cast<int>(run_command(std::get<Options>(parsed), tools));
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv, char** environment) {
  // A connection that breaks is an error like any other.
  signal(SIGPIPE, SIG_IGN);
  return cloister::run(argc, argv, environment);
}
