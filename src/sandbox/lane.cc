#include "sandbox/lane.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace cloister {
namespace {

constexpr std::uint32_t kCodes = static_cast<std::uint32_t>(Code::internal) + 1;

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kLaneDataAlignment - 1) / kLaneDataAlignment * kLaneDataAlignment;
}

/// One read of what the other end may be writing: the copy is what is checked and used.
template <class T>
T snapshot(const T& shared) {
  T copy;
  std::memcpy(&copy, &shared, sizeof(T));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return copy;
}

const TensorSpec* input_at(const Signature& signature, std::uint32_t place) {
  if (place < signature.inputs.size()) return &signature.inputs[place];
  place -= static_cast<std::uint32_t>(signature.inputs.size());
  return place < signature.optional_inputs.size() ? &signature.optional_inputs[place] : nullptr;
}

std::optional<std::uint32_t> place_of(const std::vector<TensorSpec>& specs,
                                      const std::string& name) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

/// The record of `tensor` with its data from `offset` on; moves `offset` past it.
Result<TensorRecord> record_of(const TensorView& tensor, std::uint32_t place, MutableBytes data,
                               std::uint64_t& offset) {
  const std::uint64_t start = aligned(offset);
  if (start > data.size() || tensor.data.size() > data.size() - start) {
    return Error{Code::too_large, "sandbox.lane_data"};
  }
  if (tensor.shape.size() > kRankMax) return Error{Code::too_large, "sandbox.rank"};
  TensorRecord record;
  record.name = place;
  record.type = static_cast<std::uint32_t>(tensor.type);
  record.rank = static_cast<std::uint32_t>(tensor.shape.size());
  record.offset = start;
  record.bytes = tensor.data.size();
  std::copy(tensor.shape.begin(), tensor.shape.end(), record.extents.begin());
  if (!tensor.data.empty()) {
    std::memcpy(data.data() + start, tensor.data.data(), tensor.data.size());
  }
  offset = start + tensor.data.size();
  return record;
}

}  // namespace

Status Lane::write_request(std::uint64_t turn, const std::vector<NamedTensorView>& inputs,
                           const std::vector<std::string>& outputs,
                           std::optional<SteadyTime> deadline) const {
  if (inputs.size() > kSignatureTensorsMax || outputs.size() > kSignatureTensorsMax) {
    return Error{Code::too_large, "sandbox.tensors"};
  }
  RunRequest request;
  request.turn = turn;
  request.inputs = static_cast<std::uint32_t>(inputs.size());
  request.outputs = static_cast<std::uint32_t>(outputs.size());
  if (deadline) {
    request.deadline_ns = std::chrono::nanoseconds(deadline->time_since_epoch()).count();
  }
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto place = place_of(signature_.inputs, inputs[i].name);
    if (!place) {
      place = place_of(signature_.optional_inputs, inputs[i].name);
      if (!place) return Error{Code::invalid, "sandbox.input_name"};
      *place += static_cast<std::uint32_t>(signature_.inputs.size());
    }
    CLOISTER_ASSIGN(head_.inputs[i], record_of(inputs[i].tensor, *place, data_, offset));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto place = place_of(signature_.outputs, outputs[i]);
    if (!place) return Error{Code::invalid, "sandbox.output_name"};
    head_.wanted[i] = *place;
  }
  head_.request = request;
  return Done{};
}

Result<TensorView> Lane::view_of(const TensorRecord& record) const {
  if (record.rank > kRankMax || record.type > static_cast<std::uint32_t>(DType::bytes)) {
    return Error{Code::corrupt, "sandbox.record"};
  }
  if (record.offset % kLaneDataAlignment != 0 || record.offset > data_.size() ||
      record.bytes > data_.size() - record.offset) {
    return Error{Code::corrupt, "sandbox.record_range"};
  }
  TensorView view{static_cast<DType>(record.type),
                  Shape(record.extents.begin(), record.extents.begin() + record.rank),
                  Bytes(data_).subspan(record.offset, record.bytes)};
  if (view.type == DType::bytes) {
    CLOISTER_TRY(element_count(view.shape));
    return view;
  }
  const auto size = tensor_bytes(view.type, view.shape);
  if (!size.ok() || size.value() != record.bytes) {
    return Error{Code::corrupt, "sandbox.record_size"};
  }
  return view;
}

Result<Lane::Request> Lane::read_request(std::uint64_t turn) const {
  const RunRequest request = snapshot(head_.request);
  if (request.version != kChannelVersion || request.turn != turn ||
      request.inputs > kSignatureTensorsMax || request.outputs > kSignatureTensorsMax) {
    return Error{Code::corrupt, "sandbox.request"};
  }
  Request read;
  for (std::uint32_t i = 0; i < request.inputs; ++i) {
    const TensorRecord record = snapshot(head_.inputs[i]);
    const TensorSpec* const spec = input_at(signature_, record.name);
    if (spec == nullptr) return Error{Code::corrupt, "sandbox.request_input"};
    CLOISTER_ASSIGN(TensorView view, view_of(record));
    read.inputs.push_back({spec->name, std::move(view)});
  }
  for (std::uint32_t i = 0; i < request.outputs; ++i) {
    const std::uint32_t place = snapshot(head_.wanted[i]);
    if (place >= signature_.outputs.size()) return Error{Code::corrupt, "sandbox.request_output"};
    read.outputs.push_back(signature_.outputs[place].name);
  }
  if (request.deadline_ns != 0) {
    read.deadline = SteadyTime(std::chrono::duration_cast<SteadyTime::duration>(
        std::chrono::nanoseconds(request.deadline_ns)));
  }
  return read;
}

void Lane::write_reply(std::uint64_t turn, const std::vector<NamedTensorView>& outputs) const {
  std::uint64_t offset = 0;  // over the inputs, which nobody needs any more
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto place = place_of(signature_.outputs, outputs[i].name);
    auto record = place ? record_of(outputs[i].tensor, *place, data_, offset)
                        : Result<TensorRecord>(Error{Code::internal, "sandbox.output_name"});
    if (!record.ok()) return write_error(turn, record.error().code, "");
    head_.outputs[i] = record.value();
  }
  RunReply reply;
  reply.turn = turn;
  reply.outputs = static_cast<std::uint32_t>(outputs.size());
  head_.reply = reply;
}

void Lane::write_error(std::uint64_t turn, Code code, std::string_view text) const {
  RunReply reply;
  reply.turn = turn;
  reply.code = 1 + static_cast<std::uint32_t>(code);
  const std::string_view kept = text.substr(0, kReplyTextMax);
  std::copy(kept.begin(), kept.end(), reply.text.begin());
  reply.text_bytes = static_cast<std::uint32_t>(kept.size());
  head_.reply = reply;
}

Result<std::vector<NamedTensorView>> Lane::read_reply(std::uint64_t turn,
                                                      const std::vector<std::string>& outputs,
                                                      OutputMemory& memory) const {
  const RunReply reply = snapshot(head_.reply);
  if (reply.version != kChannelVersion || reply.turn != turn || reply.code > kCodes ||
      reply.text_bytes > kReplyTextMax) {
    return Error{Code::corrupt, "sandbox.reply"};
  }
  if (reply.code != 0) {
    // A worker may say that a run failed, not that bytes are corrupt or somebody is denied.
    const Code said = static_cast<Code>(reply.code - 1);
    const bool known = said == Code::invalid || said == Code::too_large ||
                       said == Code::deadline || said == Code::unavailable;
    return Error{known ? said : Code::internal, "sandbox.run",
                 Detail(std::string(reply.text.data(), reply.text_bytes))};
  }
  const std::size_t wanted = outputs.empty() ? signature_.outputs.size() : outputs.size();
  if (reply.outputs != wanted) return Error{Code::corrupt, "sandbox.reply_count"};
  std::vector<NamedTensorView> tensors;
  std::uint64_t left = data_.size();  // records that overlap would multiply what is copied
  for (std::size_t i = 0; i < wanted; ++i) {
    const TensorRecord record = snapshot(head_.outputs[i]);
    if (record.name >= signature_.outputs.size()) {
      return Error{Code::corrupt, "sandbox.reply_name"};
    }
    const TensorSpec& spec = signature_.outputs[record.name];
    const std::string& expected = outputs.empty() ? signature_.outputs[i].name : outputs[i];
    CLOISTER_ASSIGN(TensorView view, view_of(record));
    // Extents are not held against the signature: runs of honest models may differ from what
    // their graphs declare, and the runtime lets them.
    if (spec.name != expected || view.type != spec.type || view.data.size() > left) {
      return Error{Code::corrupt, "sandbox.reply_tensor"};
    }
    left -= view.data.size();
    CLOISTER_ASSIGN(const MutableBytes copy, memory.take(view.data.size()));
    if (!copy.empty()) std::memcpy(copy.data(), view.data.data(), copy.size());
    view.data = copy;
    if (view.type == DType::bytes) {
      CLOISTER_ASSIGN(const std::uint64_t count, element_count(view.shape));
      if (!bytes_elements(view.data, count).ok()) return Error{Code::corrupt, "sandbox.reply_text"};
    }
    tensors.push_back({expected, std::move(view)});
  }
  return tensors;
}

}  // namespace cloister
