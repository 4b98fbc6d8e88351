// Property: an accepted .npz, .npy or raw body yields tensors whose sizes fit their shapes, and
// what can be written as .npz again reads back the same.
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "http/infer_codec.h"

namespace cloister {
namespace {

void check(const InferRequest& request) {
  for (const NamedTensorView& input : request.inputs) {
    const std::uint64_t count = element_count(input.tensor.shape).value();
    if (input.tensor.type == DType::bytes) {
      CLOISTER_CHECK(bytes_elements(input.tensor.data, count).ok());
    } else {
      CLOISTER_CHECK(input.tensor.data.size() == count * element_bytes(input.tensor.type));
    }
  }
  InferResponse response;
  response.outputs = request.inputs;
  const auto encoded = encode_infer_npz(response);
  if (!encoded.ok()) return;
  std::string body;
  for (const Bytes piece : encoded.value().body.pieces) body += text_of(piece);
  const auto again = decode_infer_npz(bytes_of(body), {});
  CLOISTER_CHECK(again.ok() && again.value().inputs.size() == request.inputs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    CLOISTER_CHECK(text_of(again.value().inputs[i].tensor.data) ==
                   text_of(request.inputs[i].tensor.data));
  }
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes body = std::as_bytes(std::span(data, size));
  Signature signature;
  signature.inputs = {{"x", DType::f32, true, {{std::nullopt, "n"}, {3, ""}}}};
  const InferLimits limits{1U << 20};
  const auto check_if_accepted = [](const Result<InferRequest>& request) {
    if (request.ok()) check(request.value());
  };
  check_if_accepted(decode_infer_npz(body, limits));
  check_if_accepted(decode_infer_npy(body, signature, limits));
  check_if_accepted(decode_infer_raw(body, signature));
  return 0;
}
