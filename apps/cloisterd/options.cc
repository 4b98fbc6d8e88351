#include "options.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace cloister {
namespace {

Error usage_error(std::string text) {
  return Error{Code::invalid, "options", Detail(std::move(text))};
}

constexpr std::string_view kTakeValue[] = {"--dev",       "--config",    "--port",
                                           "--isolation", "--take-over", "--endorsements"};

Status take_value(Options& options, const std::string& name, const std::string& value) {
  if (name == "--dev" || name == "--config") {
    if (!options.path.empty()) return usage_error("give --dev or --config, once");
    options.mode = name == "--dev" ? Options::Mode::dev : Options::Mode::config;
    options.path = value;
  } else if (name == "--port") {
    const char* const end = value.data() + value.size();
    const auto [read, error] = std::from_chars(value.data(), end, options.port);
    if (error != std::errc() || read != end) return usage_error("--port: expected 0 to 65535");
  } else if (name == "--take-over") {
    options.take_over = value;
  } else if (name == "--endorsements") {
    options.endorsements = value;
  } else {
    options.isolation = value;
    if (value != "inline" && value != "process") {
      return usage_error("--isolation: expected inline or process");
    }
  }
  return Done{};
}

Status check_together(const Options& options) {
  if (options.path.empty()) return usage_error("give --dev FOLDER or --config FILE");
  const bool dev = options.mode == Options::Mode::dev;
  if (!dev && (options.new_token || options.port != 0 || !options.isolation.empty())) {
    return usage_error("--port, --isolation and --new-token go with --dev");
  }
  if (dev && options.create_store) return usage_error("--create-store goes with --config");
  const bool upgrade = options.hand_over || !options.take_over.empty();
  if (upgrade && dev) return usage_error("--hand-over and --take-over go with --config");
  if (!options.endorsements.empty() && !upgrade) {
    return usage_error("--endorsements goes with --hand-over and --take-over");
  }
  const int modes = (options.verify_store ? 1 : 0) + (options.hand_over ? 1 : 0) +
                    (options.take_over.empty() ? 0 : 1) + (options.create_store ? 1 : 0);
  if (modes > 1 || (options.verify_store && options.new_token)) {
    return usage_error("--create-store, --verify-store, --hand-over and --take-over are different "
                       "things to do");
  }
  return Done{};
}

}  // namespace

const char* usage() noexcept {
  return R"(cloisterd: a confidential inference server for ONNX models

  cloisterd --dev FOLDER [--port N] [--isolation inline|process] [--new-token]
      Try it out: simulated platform, encrypted store in FOLDER, 127.0.0.1, any free port unless
      told otherwise. Prints the URL, the key's pin and, at the first start, an owner token.
      Simulation protects nothing from this machine's owner: the root key lies in FOLDER.

  cloisterd --config FILE [--create-store]
      Serve as FILE says (JSON; docs/operations.md lists the settings). --create-store makes the
      store where its folder is empty; without it a missing store stops the start.

  cloisterd --dev FOLDER | --config FILE   --verify-store
      Serve nothing: walk through the whole store, verify every byte, and report what is damaged.

  cloisterd --config FILE --hand-over [--endorsements FOLDER]
  cloisterd --config FILE --take-over URL [--endorsements FOLDER]
      Upgrade: the old build hands the store's key to the new one, which its "upgrade_policy" must
      accept, as the old one the new one's. The weights stay as they are. Then both end.

  cloisterd --version | --help

SIGTERM or Ctrl-C finishes the requests under way, then stops. Exit code 0: stopped as asked,
1: could not start, 2: wrong usage, 3: --verify-store found damage.
)";
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& each = arguments[i];
    if (each == "--help" || each == "-h") return Options{};
    if (each == "--version") {
      options.mode = Options::Mode::version;
      return options;
    }
    if (each == "--create-store") {
      options.create_store = true;
    } else if (each == "--new-token") {
      options.new_token = true;
    } else if (each == "--hand-over") {
      options.hand_over = true;
    } else if (each == "--verify-store") {
      options.verify_store = true;
    } else if (std::ranges::find(kTakeValue, each) == std::end(kTakeValue)) {
      return usage_error("unknown argument " + each);
    } else if (i + 1 == arguments.size() || arguments[i + 1].empty()) {
      return usage_error(each + " needs a value");
    } else {
      CLOISTER_TRY(take_value(options, each, arguments[++i]));
    }
  }
  CLOISTER_TRY(check_together(options));
  return options;
}

ServerConfig dev_config(const Options& options) {
  ServerConfig config;
  config.listen_port = options.port;
  config.store = options.path;
  config.platform = "simulated";
  if (!options.isolation.empty()) config.isolation = options.isolation;
  config.seal_to = "mrsigner";  // a store to try things out with outlives its build
  config.allow_swap = true;
  config.metrics = true;
  config.metrics_port = 0;
  return config;
}

}  // namespace cloister
