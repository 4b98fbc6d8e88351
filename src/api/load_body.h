#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "model/model.h"
#include "secret/private_memory.h"
#include "serving/model_options.h"

namespace cloister {

/// What a load request brings along beside the model's name.
struct LoadRequest {
  /// A model file and the version that it is to become.
  struct File {
    VersionNumber version;
    PrivateMemory memory;
    std::uint64_t size = 0;
  };
  std::optional<ModelOptions> options;  ///< parameter `config`
  std::optional<File> file;             ///< parameter `file:N/model.onnx`, decoded from base64
};

/// Reads the body of a load request; an empty one asks for nothing more. The file goes straight
/// into private memory. Fails: `invalid`, `too_large` (past `file_bytes_max`, once decoded).
/// Source: docs/wire-api.md, "Repository".
Result<LoadRequest> read_load_body(Bytes body, std::uint64_t file_bytes_max);

}  // namespace cloister
