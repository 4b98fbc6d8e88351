#include "options.h"

#include <charconv>

namespace cloister {
namespace {

Error usage_error(std::string text) {
  return Error{Code::invalid, "options", Detail(std::move(text))};
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

  cloisterd --version | --help

SIGTERM or Ctrl-C finishes the requests under way, then stops. Exit code 0: stopped as asked,
1: could not start, 2: wrong usage.
)";
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& each = arguments[i];
    const bool takes_value =
        each == "--dev" || each == "--config" || each == "--port" || each == "--isolation";
    if (takes_value && i + 1 >= arguments.size()) return usage_error(each + " needs a value");
    if (each == "--dev" || each == "--config") {
      if (!options.path.empty()) return usage_error("give --dev or --config, once");
      options.mode = each == "--dev" ? Options::Mode::dev : Options::Mode::config;
      options.path = arguments[++i];
      if (options.path.empty()) return usage_error(each + " needs a value");
    } else if (each == "--port") {
      const std::string& value = arguments[++i];
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), options.port);
      if (error != std::errc() || end != value.data() + value.size()) {
        return usage_error("--port: expected 0 to 65535");
      }
    } else if (each == "--isolation") {
      options.isolation = arguments[++i];
      if (options.isolation != "inline" && options.isolation != "process") {
        return usage_error("--isolation: expected inline or process");
      }
    } else if (each == "--create-store") {
      options.create_store = true;
    } else if (each == "--new-token") {
      options.new_token = true;
    } else if (each == "--help" || each == "-h") {
      return Options{};
    } else if (each == "--version") {
      options.mode = Options::Mode::version;
      return options;
    } else {
      return usage_error("unknown argument " + each);
    }
  }
  if (options.path.empty()) return usage_error("give --dev FOLDER or --config FILE");
  const bool dev = options.mode == Options::Mode::dev;
  if (!dev && (options.new_token || options.port != 0 || !options.isolation.empty())) {
    return usage_error("--port, --isolation and --new-token go with --dev");
  }
  if (dev && options.create_store) return usage_error("--create-store goes with --config");
  return options;
}

ServerConfig dev_config(const Options& options) {
  ServerConfig config;
  config.listen_port = options.port;
  config.store = options.path;
  config.platform = "simulated";
  if (!options.isolation.empty()) config.isolation = options.isolation;
  config.allow_swap = true;
  config.metrics = true;
  config.metrics_port = 0;
  return config;
}

}  // namespace cloister
