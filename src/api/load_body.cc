#include "api/load_body.h"

#include <charconv>
#include <string>
#include <utility>

#include "encoding/base64.h"
#include "encoding/json_cursor.h"

namespace cloister {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::string_view kFile = "file:";
constexpr std::string_view kFileName = "/model.onnx";

Error invalid(const char* text) {
  return Error{Code::invalid, "api.load_body", Detail(text)};
}

/// N of `file:N/model.onnx`.
Result<VersionNumber> version_of(std::string_view key) {
  const Error wrong = invalid("a file is named \"file:N/model.onnx\", where N is its version");
  key.remove_prefix(kFile.size());
  if (!key.ends_with(kFileName)) return wrong;
  key.remove_suffix(kFileName.size());
  VersionNumber number;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number.value);
  if (error != std::errc() || end != key.data() + key.size() || number.value < 1 ||
      number.value > kVersionNumberMax) {
    return wrong;
  }
  return number;
}

Result<LoadRequest::File> read_file(JsonCursor& cursor, VersionNumber version,
                                    std::uint64_t bytes_max) {
  LoadRequest::File file;
  file.version = version;
  CLOISTER_ASSIGN(file.memory, PrivateMemory::reserve(cursor.rest().size() + 1));
  CLOISTER_ASSIGN(const std::size_t digits, cursor.string_into(file.memory.bytes()));
  const auto decoded =
      base64_decode_to(text_of(file.memory.bytes().first(digits)), file.memory.bytes());
  if (!decoded.ok()) return invalid("the file's content: expected base64");
  file.size = decoded.value();
  if (file.size == 0) return invalid("the file is empty");
  if (file.size > bytes_max) {
    return Error{Code::too_large, "api.load_body",
                 Detail("a model may have at most " + std::to_string(bytes_max) + " bytes")};
  }
  return file;
}

}  // namespace

Result<LoadRequest> read_load_body(Bytes body, std::uint64_t file_bytes_max) {
  LoadRequest request;
  if (body.empty()) return request;
  JsonCursor cursor(text_of(body), kDepthMax);
  const auto read_parameter = [&](const std::string& key) -> Status {
    if (key == "config") {
      CLOISTER_ASSIGN(const std::string config, cursor.string());
      CLOISTER_ASSIGN(request.options, parse_model_options(config));
      return Done{};
    }
    if (!key.starts_with(kFile)) return cursor.skip();
    CLOISTER_ASSIGN(const VersionNumber version, version_of(key));
    if (request.file) return invalid("one request loads one file");
    CLOISTER_ASSIGN(request.file, read_file(cursor, version, file_bytes_max));
    return Done{};
  };
  CLOISTER_TRY(cursor.object([&](const std::string& key) -> Status {
    return key == "parameters" ? cursor.object(read_parameter) : cursor.skip();
  }));
  CLOISTER_TRY(cursor.end());
  return request;
}

}  // namespace cloister
