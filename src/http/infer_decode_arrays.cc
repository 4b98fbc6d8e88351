// Requests that are arrays without JSON around them.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "http/infer_codec.h"
#include "http/tensor_place.h"
#include "tensor/npy.h"
#include "tensor/npz.h"

namespace cloister {
namespace {

Error invalid(std::string text) {
  return Error{Code::invalid, "http.infer_arrays", Detail(std::move(text))};
}

/// The same error, said of one array of several.
Error of_input(const std::string& name, Error error) {
  if (error.code == Code::invalid) error.detail = Detail("input \"" + name + "\": not a npy file");
  return error;
}

Result<const TensorSpec*> only_input(const Signature& signature) {
  if (signature.inputs.size() == 1) return &signature.inputs.front();
  return invalid("this model takes " + std::to_string(signature.inputs.size()) +
                 " inputs: send them by name, as .npz or JSON");
}

Result<TensorView> place(const NpyArray& array, TensorMemory& memory) {
  CLOISTER_ASSIGN(const MutableBytes piece, memory.take(array.conversion_bytes));
  CLOISTER_ASSIGN(TensorView tensor, npy_tensor(array, piece));
  return aligned_tensor(std::move(tensor), memory);
}

}  // namespace

Result<InferRequest> decode_infer_npy(Bytes body, const Signature& signature,
                                      const InferLimits& limits) {
  CLOISTER_ASSIGN(const TensorSpec* const spec, only_input(signature));
  CLOISTER_ASSIGN(const NpyArray array, read_npy(body));
  // At most one conversion or one copy, whichever it needs, and what alignment takes.
  TensorMemory memory(std::min(limits.decoded_bytes_max, 5 * std::uint64_t{body.size()} + 64),
                      limits.pool);
  CLOISTER_ASSIGN(TensorView tensor, place(array, memory));
  InferRequest request;
  request.inputs.push_back({spec->name, std::move(tensor)});
  request.memory_used = memory.used();
  request.memory = std::move(memory).release();
  return request;
}

Result<InferRequest> decode_infer_npz(Bytes body, const InferLimits& limits) {
  CLOISTER_ASSIGN(const std::vector<NpzMember> members, read_npz(body, limits.decoded_bytes_max));
  TensorMemory memory(limits.decoded_bytes_max);
  InferRequest request;
  for (const NpzMember& member : members) {
    CLOISTER_ASSIGN(const MutableBytes piece,
                    memory.take(member.is_deflated ? member.bytes : 0));
    CLOISTER_ASSIGN(const Bytes file, npz_member_bytes(member, piece));
    const Result<NpyArray> array = read_npy(file);
    if (!array.ok()) return of_input(member.name, array.error());
    CLOISTER_ASSIGN(TensorView tensor, place(array.value(), memory));
    request.inputs.push_back({member.name, std::move(tensor)});
  }
  request.memory_used = memory.used();
  request.memory = std::move(memory).release();
  return request;
}

Result<InferRequest> decode_infer_raw(Bytes body, const Signature& signature) {
  CLOISTER_ASSIGN(const TensorSpec* const spec, only_input(signature));
  if (spec->type == DType::bytes || !spec->rank_known) {
    return invalid("a raw body needs an input of numbers whose rank the model declares");
  }
  Shape shape;
  std::optional<std::size_t> open_axis;
  for (std::size_t i = 0; i < spec->extents.size(); ++i) {
    if (!spec->extents[i].value) {
      if (open_axis) return invalid("a raw body needs an input with at most one open dimension");
      open_axis = i;
    }
    shape.push_back(spec->extents[i].value.value_or(1));
  }
  CLOISTER_ASSIGN(const std::uint64_t unit, tensor_bytes(spec->type, shape));
  if (open_axis && unit > 0) shape[*open_axis] = body.size() / unit;
  CLOISTER_ASSIGN(const std::uint64_t expected, tensor_bytes(spec->type, shape));
  if (expected != body.size()) {
    return invalid("a raw body of " + std::to_string(body.size()) +
                   " bytes does not fit input \"" + spec->name + "\"");
  }
  TensorMemory memory(body.size() + 64);
  CLOISTER_ASSIGN(TensorView tensor, aligned_tensor({spec->type, shape, body}, memory));
  InferRequest request;
  request.inputs.push_back({spec->name, std::move(tensor)});
  request.memory_used = memory.used();
  request.memory = std::move(memory).release();
  return request;
}

}  // namespace cloister
