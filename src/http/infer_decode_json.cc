#include <algorithm>
#include <set>
#include <utility>

#include "encoding/json_cursor.h"
#include "http/infer_codec.h"
#include "http/tensor_json.h"
#include "http/tensor_place.h"

namespace cloister {
namespace {

constexpr std::size_t kIdMax = 1024;
constexpr std::size_t kDepthMax = kRankMax + 8;

Error invalid(std::string text) {
  return Error{Code::invalid, "http.infer_json", Detail(std::move(text))};
}

/// Reads one request. Members may come in any order; tensor data that comes before its shape is
/// checked, passed over, and read once the shape is known.
class RequestReader {
 public:
  RequestReader(std::string_view json, Bytes binary, const InferLimits& limits) noexcept
      : json_(json),
        cursor_(json, kDepthMax),
        binary_(binary),
        memory_(memory_bound(json.size(), binary.size(), limits), limits.pool) {}

  Result<InferRequest> read() {
    bool has_inputs = false;
    CLOISTER_TRY(cursor_.object([&](const std::string& key) -> Status {
      if (key == "id") return read_id();
      if (key == "parameters") return read_parameters();
      if (key == "outputs") return cursor_.array([this] { return read_output(); });
      if (key != "inputs") return cursor_.skip();
      has_inputs = true;
      return cursor_.array([this] { return read_input(); });
    }));
    CLOISTER_TRY(cursor_.end());
    if (!has_inputs) return invalid("the request has no \"inputs\"");
    if (!binary_.empty()) {
      return invalid(std::to_string(binary_.size()) + " bytes follow the last binary tensor");
    }
    for (std::size_t i = 0; i < request_.outputs.size(); ++i) {
      request_.outputs[i].binary = output_binary_[i].value_or(request_.binary_outputs);
    }
    request_.memory_used = memory_.used();
    request_.memory = std::move(memory_).release();
    return std::move(request_);
  }

 private:
  /// Two characters of text make at most one element of eight bytes; binary data may have to be
  /// copied into place; every tensor may lose some bytes to alignment.
  static std::uint64_t memory_bound(std::size_t json, std::size_t binary,
                                    const InferLimits& limits) noexcept {
    constexpr std::size_t kTextMin = 16;  // characters that an input has at least
    const std::uint64_t alignment = 64 * std::min(json / kTextMin + 1, kSignatureTensorsMax);
    return std::min<std::uint64_t>(4ULL * json + binary + alignment,
                                   limits.decoded_bytes_max + alignment);
  }

  Status read_id() {
    CLOISTER_ASSIGN(request_.id, cursor_.string());
    if (request_.id.size() > kIdMax) return Error{Code::too_large, "http.request_id"};
    return Done{};
  }

  Result<std::uint64_t> read_unsigned(const std::string& what) {
    CLOISTER_ASSIGN(const JsonNumber number, cursor_.number());
    const std::optional<std::uint64_t> value = unsigned_of(number);
    if (!value) return invalid(what + ": expected an integer that is not negative");
    return *value;
  }

  Status read_parameters() {
    return cursor_.object([this](const std::string& key) -> Status {
      if (key == "binary_data_output") {
        CLOISTER_ASSIGN(request_.binary_outputs, cursor_.boolean());
      } else if (key == "timeout") {
        CLOISTER_ASSIGN(request_.timeout_microseconds, read_unsigned("parameter \"timeout\""));
      } else if (key == "priority") {
        CLOISTER_ASSIGN(request_.priority, read_unsigned("parameter \"priority\""));
      } else {
        return cursor_.skip();
      }
      return Done{};
    });
  }

  Status read_output() {
    RequestedOutput output;
    std::optional<bool> binary;
    CLOISTER_TRY(cursor_.object([&](const std::string& key) -> Status {
      if (key == "name") {
        CLOISTER_ASSIGN(output.name, cursor_.string());
        return Done{};
      }
      if (key != "parameters") return cursor_.skip();
      return cursor_.object([&](const std::string& parameter) -> Status {
        if (parameter == "classification") return unsupported("classification");
        if (parameter.starts_with("shared_memory")) return unsupported("shared memory");
        if (parameter != "binary_data") return cursor_.skip();
        CLOISTER_ASSIGN(binary, cursor_.boolean());
        return Done{};
      });
    }));
    if (output.name.empty() || output.name.size() > kTensorNameMax) {
      return invalid("an output has no name, or too long a one");
    }
    if (!output_names_.insert(output.name).second) {
      return invalid("output \"" + output.name + "\": asked for twice");
    }
    if (request_.outputs.size() >= kSignatureTensorsMax) {
      return Error{Code::too_large, "http.outputs"};
    }
    request_.outputs.push_back(std::move(output));
    output_binary_.push_back(binary);
    return Done{};
  }

  /// What has been read of one input so far.
  struct Input {
    std::string name;
    std::optional<DType> type;
    std::optional<Shape> shape;
    std::optional<std::uint64_t> binary_bytes;
    std::optional<std::size_t> data_at;  ///< where data lies that was passed over
    std::optional<TensorView> tensor;
  };

  Status read_input() {
    if (request_.inputs.size() >= kSignatureTensorsMax) {
      return Error{Code::too_large, "http.inputs"};
    }
    Input input;
    CLOISTER_TRY(cursor_.object(
        [&](const std::string& key) -> Status { return read_input_member(key, input); }));
    CLOISTER_TRY(check_input(input));
    if (input.data_at) {
      JsonCursor again(json_, kDepthMax);
      again.advance(*input.data_at);
      CLOISTER_ASSIGN(input.tensor,
                      read_tensor_data(again, input.name, *input.type, *input.shape, memory_));
    } else if (input.binary_bytes) {
      CLOISTER_ASSIGN(input.tensor, take_binary(input));
    }
    request_.inputs.push_back({std::move(input.name), std::move(*input.tensor)});
    return Done{};
  }

  Status read_input_member(const std::string& key, Input& input) {
    if (key == "name") {
      CLOISTER_ASSIGN(input.name, cursor_.string());
    } else if (key == "datatype") {
      CLOISTER_ASSIGN(const std::string name, cursor_.string());
      input.type = dtype_from_protocol(name);
      if (!input.type) return invalid("input \"" + input.name + "\": unknown datatype");
    } else if (key == "shape") {
      CLOISTER_ASSIGN(input.shape, read_shape(input.name));
    } else if (key == "parameters") {
      return read_input_parameters(input);
    } else if (key == "data") {
      return read_input_data(input);
    } else {
      return cursor_.skip();
    }
    return Done{};
  }

  Result<Shape> read_shape(const std::string& name) {
    Shape shape;
    CLOISTER_TRY(cursor_.array([&]() -> Status {
      if (shape.size() >= kRankMax) return invalid("input \"" + name + "\": too many dimensions");
      CLOISTER_ASSIGN(const std::uint64_t extent, read_unsigned("input \"" + name + "\", shape"));
      shape.push_back(extent);
      return Done{};
    }));
    return shape;
  }

  Status read_input_parameters(Input& input) {
    return cursor_.object([&](const std::string& key) -> Status {
      if (key.starts_with("shared_memory")) return unsupported("shared memory");
      if (key != "binary_data_size") return cursor_.skip();
      CLOISTER_ASSIGN(input.binary_bytes, read_unsigned("parameter \"binary_data_size\""));
      return Done{};
    });
  }

  Status read_input_data(Input& input) {
    if (input.name.empty() || !input.type || !input.shape) {
      cursor_.peek();
      input.data_at = cursor_.offset();
      return cursor_.skip();
    }
    CLOISTER_ASSIGN(input.tensor,
                    read_tensor_data(cursor_, input.name, *input.type, *input.shape, memory_));
    return Done{};
  }

  Status check_input(const Input& input) {
    if (input.name.empty() || input.name.size() > kTensorNameMax) {
      return invalid("an input has no name, or too long a one");
    }
    const std::string begin = "input \"" + input.name + "\": ";
    if (!input_names_.insert(input.name).second) return invalid(begin + "given twice");
    if (!input.type) return invalid(begin + "no datatype");
    if (!input.shape) return invalid(begin + "no shape");
    const bool has_text = input.data_at || input.tensor;
    if (has_text && input.binary_bytes) return invalid(begin + "both data and binary_data_size");
    if (!has_text && !input.binary_bytes) return invalid(begin + "no data");
    return Done{};
  }

  /// The next piece of what follows the JSON text. Its size is held against type and shape by
  /// check_inputs, as every tensor's is.
  Result<TensorView> take_binary(const Input& input) {
    if (*input.binary_bytes > binary_.size()) {
      return invalid("input \"" + input.name + "\": binary_data_size is " +
                     std::to_string(*input.binary_bytes) + ", but " +
                     std::to_string(binary_.size()) + " bytes are left");
    }
    const Bytes data = binary_.first(*input.binary_bytes);
    binary_ = binary_.subspan(*input.binary_bytes);
    return aligned_tensor({*input.type, *input.shape, data}, memory_);
  }

  static Error unsupported(const char* what) {
    return Error{Code::unsupported, "http.infer_json",
                 Detail(std::string(what) + " is not served")};
  }

  std::string_view json_;
  JsonCursor cursor_;
  Bytes binary_;
  TensorMemory memory_;
  InferRequest request_;
  std::vector<std::optional<bool>> output_binary_;
  std::set<std::string> input_names_;
  std::set<std::string> output_names_;
};

}  // namespace

Result<InferRequest> decode_infer_json(Bytes body, std::optional<std::uint64_t> json_bytes,
                                       const InferLimits& limits) {
  const std::uint64_t length = json_bytes.value_or(body.size());
  if (length > body.size()) {
    return invalid("Inference-Header-Content-Length is " + std::to_string(length) +
                   ", but the body has " + std::to_string(body.size()) + " bytes");
  }
  return RequestReader(text_of(body.first(length)), body.subspan(length), limits).read();
}

}  // namespace cloister
