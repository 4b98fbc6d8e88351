#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "http/message.h"
#include "model/model.h"
#include "secret/private_memory.h"
#include "tensor/tensor.h"

namespace cloister {

/// What one inference body may ask of the decoder.
struct InferLimits {
  /// Bytes of memory that decoding may take beside the body: tensors out of JSON text, inflated or
  /// converted ones out of npy and npz.
  std::uint64_t decoded_bytes_max = 1ULL << 30;
  PrivateMemoryPool* pool = nullptr;  ///< where that memory comes from; null: fresh from the host
};

/// How many bytes to leave free before a body of `json_bytes` of JSON and binary tensors behind it,
/// in memory that begins on a page, so that the first of them is aligned and needs no copy.
constexpr std::uint32_t infer_body_lead(std::uint64_t json_bytes) noexcept {
  constexpr std::uint64_t kAlignment = 64;
  return static_cast<std::uint32_t>((kAlignment - json_bytes % kAlignment) % kAlignment);
}

/// An output that the request asks for by name.
struct RequestedOutput {
  std::string name;
  bool binary = false;  ///< after the JSON text, by the binary tensor extension
};

/// An inference request as decoded. Nothing is checked against a model yet: check_inputs does that.
/// Views lie in the body that was decoded, which must outlive them, or in `memory`; each is aligned
/// to its element. No two inputs have the same name.
struct InferRequest {
  std::string id;                        ///< empty if the request has none
  std::vector<NamedTensorView> inputs;
  std::vector<RequestedOutput> outputs;  ///< empty: all of the model's
  bool binary_outputs = false;           ///< `binary_data_output`: for outputs not listed
  std::optional<std::uint64_t> timeout_microseconds;  ///< parameter `timeout`
  std::optional<std::uint64_t> priority;              ///< parameter `priority`
  PrivateMemory memory;
  std::uint64_t memory_used = 0;  ///< bytes of `memory` that hold something
};

/// Decodes an Open Inference Protocol v2 request. `json_bytes` is the value of
/// `Inference-Header-Content-Length`, where the request has one: so many bytes of JSON, then the
/// binary tensors in order. Without it the whole body is JSON. 0 is for decode_infer_raw.
/// Fails: `invalid`, `too_large`, `unsupported`; the Detail names the tensor and the element.
/// Source: docs/wire-api.md, "Inference".
Result<InferRequest> decode_infer_json(Bytes body, std::optional<std::uint64_t> json_bytes,
                                       const InferLimits& limits);
/// Decodes a body that is nothing but the data of the model's only input (the binary extension
/// with a header length of 0). One open extent is found from the size. Fails: `invalid`.
Result<InferRequest> decode_infer_raw(Bytes body, const Signature& signature);
/// Decodes a `.npy` body: the model's only required input. Fails as decode_infer_json does.
Result<InferRequest> decode_infer_npy(Bytes body, const Signature& signature,
                                      const InferLimits& limits);
/// Decodes a `.npz` body: each member `NAME.npy` is the input NAME.
Result<InferRequest> decode_infer_npz(Bytes body, const InferLimits& limits);

/// What is to be sent. `outputs` lie in memory that `owner` keeps.
struct InferResponse {
  std::string model_name;
  std::string model_version;
  std::string id;  ///< empty: left out
  std::vector<NamedTensorView> outputs;
  std::shared_ptr<const void> owner;
  PrivateMemoryPool* pool = nullptr;  ///< for the text; null: fresh from the host
};

/// An encoded response; `body.owner` also keeps the tensors, which are never copied where the
/// format allows. Text made from tensors is in memory that is wiped.
struct EncodedInfer {
  std::string_view content_type;
  std::optional<std::uint64_t> json_bytes;  ///< `Inference-Header-Content-Length`, if to be sent
  HttpBody body;
};

/// Encodes as the request asked: outputs with `binary` follow the JSON text. Floats are written in
/// the shortest form that reads back equal (FP16 and BF16 as the FP32 that they equal).
/// Fails: `unsupported` for what JSON cannot carry (NaN, infinity, BYTES that are not UTF-8), with
/// a Detail that says to ask for binary data; `too_large`.
Result<EncodedInfer> encode_infer_json(const InferRequest& request, InferResponse response);
/// The only output as `.npy`. Fails: `unsupported` for several outputs, BF16, or BYTES that NumPy
/// would cut (they end in NUL).
Result<EncodedInfer> encode_infer_npy(InferResponse response);
/// All outputs as a `.npz` of stored members. Fails: `unsupported` as above.
Result<EncodedInfer> encode_infer_npz(InferResponse response);

}  // namespace cloister
