#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/server_config.h"

namespace cloister {

/// What the command line asked for.
struct Options {
  enum class Mode { dev, config, help, version };
  Mode mode = Mode::help;
  std::string path;                  ///< --dev: the folder; --config: the file
  std::uint16_t port = 0;            ///< --dev only; 0 is any free one
  std::string isolation;             ///< --dev only; empty: the default
  bool create_store = false;         ///< --config: make the store if its folder is empty
  bool new_token = false;            ///< --dev: print another owner token
  bool hand_over = false;            ///< give the store's key to a build that its policy accepts
  std::string take_over;             ///< the URL of a server that hands its store over
  std::string endorsements;          ///< folder with what third parties publish; may be empty
  bool verify_store = false;         ///< verify the store and report, without serving
};

/// Reads the command line. Fails: `invalid`, with what is wrong in the Detail.
Result<Options> parse_options(const std::vector<std::string>& arguments);

/// The text of `cloisterd --help`.
const char* usage() noexcept;

/// The configuration that `--dev FOLDER` stands for.
ServerConfig dev_config(const Options& options);

}  // namespace cloister
