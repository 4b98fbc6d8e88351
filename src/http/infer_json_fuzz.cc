// Property: a request that is accepted, sent back as a response, reads as the same tensors.
// The first two bytes of the input are the length of the JSON text; 0xFFFF stands for no header.
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "http/infer_codec.h"

namespace cloister {
namespace {

void check_round_trip(const InferRequest& request) {
  InferResponse response;
  response.outputs = request.inputs;
  for (const bool binary : {false, true}) {
    InferRequest wanted;
    wanted.binary_outputs = binary;
    const auto encoded = encode_infer_json(wanted, response);
    // What is sent in binary has not been checked yet, and may be no text.
    if (!encoded.ok()) continue;
    std::string body;
    for (const Bytes piece : encoded.value().body.pieces) body += text_of(piece);
    const std::size_t at = body.find("\"outputs\"");
    body.replace(at, 9, "\"inputs\" ");
    const auto again = decode_infer_json(bytes_of(body), encoded.value().json_bytes, {});
    CLOISTER_CHECK(again.ok());
    CLOISTER_CHECK(again.value().inputs.size() == request.inputs.size());
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      const TensorView& first = request.inputs[i].tensor;
      const TensorView& second = again.value().inputs[i].tensor;
      CLOISTER_CHECK(first.type == second.type && first.shape == second.shape);
      CLOISTER_CHECK(first.type == DType::boolean || text_of(first.data) == text_of(second.data));
    }
  }
}

/// Whether sizes match shapes, which the server checks before anything else sees the tensors.
bool is_whole(const InferRequest& request) {
  for (const NamedTensorView& input : request.inputs) {
    const auto count = element_count(input.tensor.shape);
    if (!count.ok()) return false;
    if (input.tensor.type == DType::bytes) {
      if (!bytes_elements(input.tensor.data, count.value()).ok()) return false;
    } else if (input.tensor.data.size() != count.value() * element_bytes(input.tensor.type)) {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  if (size < 2) return 0;
  const Bytes input = std::as_bytes(std::span(data, size));
  const std::uint64_t json_bytes = data[0] | std::uint64_t{data[1]} << 8;
  std::optional<std::uint64_t> header;
  if (json_bytes != 0xFFFF) header = json_bytes;
  const auto request = decode_infer_json(input.subspan(2), header, InferLimits{1U << 20});
  if (request.ok() && is_whole(request.value())) check_round_trip(request.value());
  return 0;
}
