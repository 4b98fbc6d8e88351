#include <cstdio>
#include <string>
#include <vector>

#include "base/posix/process.h"
#include "crypto/library.h"
#include "hand_over.h"
#include "options.h"
#include "server.h"
#include "verify_command.h"

namespace cloister {

/// Says to the person who started the server why it did not start. Details here quote the
/// configuration and the command line, which are his own.
class ConsoleReport {
 public:
  static void print(const Error& error) {
    const std::string& detail = error.detail.reveal(DetailToken());
    const char* const otherwise = error.code == Code::io
                                      ? "could not start: the disk or a device failed or may "
                                        "not be used"
                                      : "could not start";
    std::fprintf(stderr, "cloisterd: %s (%s, at %s)\n",
                 detail.empty() ? otherwise : detail.c_str(), name_of(error.code),
                 error.where.text);
  }
};

namespace {

constexpr std::uint64_t kConfigFileMax = kConfigBytesMax;
constexpr int kDamaged = 3;

Result<ServerConfig> read_config(const Options& options) {
  if (options.mode == Options::Mode::dev) return dev_config(options);
  CLOISTER_ASSIGN(const ByteVector text, read_operator_file(options.path, kConfigFileMax));
  return parse_server_config(text_of(text));
}

Status do_as_asked(const Options& options, const ServerConfig& config) {
  if (options.hand_over) return hand_over_store(options, config);
  if (!options.take_over.empty()) return take_over_store(options, config);
  return run_server(options, config);
}

int run(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  if (!options.ok()) {
    ConsoleReport::print(options.error());
    return 2;
  }
  if (options.value().mode == Options::Mode::help) {
    std::fputs(usage(), stdout);
    return 0;
  }
  if (options.value().mode == Options::Mode::version) {
    std::printf("cloisterd %s\n", CLOISTER_VERSION);
    return 0;
  }
  const auto config = read_config(options.value());
  if (!config.ok()) {
    ConsoleReport::print(config.error());
    return 1;
  }
  if (options.value().verify_store) {
    const auto whole = verify_store_command(options.value(), config.value());
    if (whole.ok()) return whole.value() ? 0 : kDamaged;
    ConsoleReport::print(whole.error());
    return 1;
  }
  const Status done = do_as_asked(options.value(), config.value());
  if (done.ok()) return 0;
  ConsoleReport::print(done.error());
  return 1;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  // The first two are read by the runtime, before anything else could stop its telemetry; the
  // third keeps the TPM library from writing lines of its own.
  const auto clean = cloister::drop_environment(
      argv, {"ORT_DISABLE_TELEMETRY=1", "ORT_TELEMETRY_DISABLED=1", "TSS2_LOG=all+NONE",
             "LC_ALL=C"});
  if (!clean.ok() || !cloister::harden_process().ok() || !cloister::start_crypto_library().ok()) {
    std::fputs("cloisterd: could not make the process safe to start\n", stderr);
    return 1;
  }
  cloister::block_stop_signals();
  return cloister::run(std::vector<std::string>(argv + 1, argv + argc));
}
