#include <algorithm>
#include <deque>
#include <utility>

#include "base/limits.h"
#include "encoding/json_writer.h"
#include "http/infer_codec.h"
#include "http/tensor_json.h"
#include "tensor/npy.h"
#include "tensor/npz.h"

namespace cloister {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kBinaryType = "application/octet-stream";
constexpr std::string_view kNpyType = "application/x-npy";
constexpr std::string_view kNpzType = "application/x-npz";

/// What an encoded JSON response keeps alive.
struct SentJson {
  PrivateMemory text;
  InferResponse response;
};

/// What an encoded array response keeps alive.
struct SentArrays {
  InferResponse response;
  std::deque<PrivateMemory> items;  ///< elements of BYTES outputs, padded
  std::string header;
  NpzWriter archive;
};

bool is_binary(const InferRequest& request, const std::string& name) {
  for (const RequestedOutput& output : request.outputs) {
    if (output.name == name) return output.binary;
  }
  return request.binary_outputs;
}

/// A piece of the JSON text that holds no tensor data, and the output whose data follows it.
struct TextPart {
  std::string text;
  const NamedTensorView* data = nullptr;
};

std::vector<TextPart> lay_out(const InferRequest& request, const InferResponse& response) {
  std::vector<TextPart> parts(1);
  std::string head;
  JsonWriter writer(head);
  writer.begin_object().key("model_name").text(response.model_name);
  writer.key("model_version").text(response.model_version);
  if (!response.id.empty()) writer.key("id").text(response.id);
  writer.key("outputs").begin_array();
  for (const NamedTensorView& output : response.outputs) {
    const TensorView& tensor = output.tensor;
    writer.begin_object().key("name").text(output.name);
    writer.key("datatype").text(protocol_name(tensor.type)).key("shape").begin_array();
    for (const std::uint64_t extent : tensor.shape) writer.unsigned_integer(extent);
    writer.end_array();
    if (is_binary(request, output.name)) {
      writer.key("parameters").begin_object().key("binary_data_size");
      writer.unsigned_integer(tensor.data.size()).end_object();
    } else {
      writer.key("data").raw("");
      parts.back() = {std::exchange(head, {}), &output};
      parts.emplace_back();
    }
    writer.end_object();
  }
  writer.end_array().end_object();
  parts.back().text = std::move(head);
  return parts;
}

Result<std::uint64_t> text_bound(const std::vector<TextPart>& parts) {
  std::uint64_t bound = 0;
  for (const TextPart& part : parts) {
    bound += part.text.size();
    if (part.data == nullptr) continue;
    CLOISTER_ASSIGN(const std::uint64_t data, tensor_text_bound(part.data->tensor));
    CLOISTER_ASSIGN(bound, checked_add(bound, data));
  }
  return bound;
}

Result<NpyLayout> layout_of(const NamedTensorView& output) {
  auto layout = npy_layout(output.tensor);
  if (layout.ok() || layout.error().code != Code::unsupported) return layout;
  Error error = layout.error();
  error.detail = Detail("output \"" + output.name +
                        "\" does not fit .npy (BF16, or BYTES ending in NUL); "
                        "ask for JSON or binary data");
  return error;
}

/// The data that follows an array's header.
Result<Bytes> array_data(const TensorView& tensor, const NpyLayout& layout, SentArrays& sent) {
  if (layout.item_bytes == 0 || layout.data_bytes == 0) return tensor.data.first(layout.data_bytes);
  CLOISTER_ASSIGN(PrivateMemory items, PrivateMemory::reserve(layout.data_bytes));
  npy_fill_items(tensor, layout, items.bytes());
  sent.items.push_back(std::move(items));
  return Bytes(sent.items.back().bytes());
}

}  // namespace

Result<EncodedInfer> encode_infer_json(const InferRequest& request, InferResponse response) {
  auto sent = std::make_shared<SentJson>();
  sent->response = std::move(response);
  const std::vector<TextPart> parts = lay_out(request, sent->response);
  CLOISTER_ASSIGN(const std::uint64_t bound, text_bound(parts));
  PrivateMemoryPool* const pool = sent->response.pool;
  CLOISTER_ASSIGN(sent->text,
                  pool == nullptr ? PrivateMemory::reserve(bound) : pool->reserve(bound));
  MutableBytes rest = sent->text.bytes();
  for (const TextPart& part : parts) {
    std::ranges::copy(bytes_of(part.text), rest.begin());
    rest = rest.subspan(part.text.size());
    if (part.data == nullptr) continue;
    CLOISTER_ASSIGN(const std::size_t written, write_tensor_data(*part.data, rest));
    rest = rest.subspan(written);
  }
  const std::size_t json_bytes = sent->text.size() - rest.size();
  EncodedInfer encoded;
  encoded.content_type = kJsonType;
  encoded.body.pieces.push_back(sent->text.bytes().first(json_bytes));
  for (const NamedTensorView& output : sent->response.outputs) {
    if (!is_binary(request, output.name)) continue;
    encoded.content_type = kBinaryType;
    encoded.json_bytes = json_bytes;
    if (!output.tensor.data.empty()) encoded.body.pieces.push_back(output.tensor.data);
  }
  encoded.body.owner = std::move(sent);
  return encoded;
}

Result<EncodedInfer> encode_infer_npy(InferResponse response) {
  if (response.outputs.size() != 1) {
    return Error{Code::unsupported, "http.infer_npy",
                 Detail("npy carries one output, this answer has " +
                        std::to_string(response.outputs.size()) + "; ask for .npz or JSON")};
  }
  auto sent = std::make_shared<SentArrays>();
  sent->response = std::move(response);
  const NamedTensorView& output = sent->response.outputs.front();
  CLOISTER_ASSIGN(NpyLayout layout, layout_of(output));
  sent->header = std::move(layout.header);
  CLOISTER_ASSIGN(const Bytes data, array_data(output.tensor, layout, *sent));
  EncodedInfer encoded;
  encoded.content_type = kNpyType;
  encoded.body.pieces.push_back(bytes_of(sent->header));
  if (!data.empty()) encoded.body.pieces.push_back(data);
  encoded.body.owner = std::move(sent);
  return encoded;
}

Result<EncodedInfer> encode_infer_npz(InferResponse response) {
  auto sent = std::make_shared<SentArrays>();
  sent->response = std::move(response);
  for (const NamedTensorView& output : sent->response.outputs) {
    CLOISTER_ASSIGN(NpyLayout layout, layout_of(output));
    CLOISTER_ASSIGN(const Bytes data, array_data(output.tensor, layout, *sent));
    CLOISTER_TRY(sent->archive.add(output.name, std::move(layout.header), data));
  }
  EncodedInfer encoded;
  encoded.content_type = kNpzType;
  CLOISTER_ASSIGN(encoded.body.pieces, sent->archive.finish());
  encoded.body.owner = std::move(sent);
  return encoded;
}

}  // namespace cloister
