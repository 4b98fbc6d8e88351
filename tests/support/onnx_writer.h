#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "model/model.h"

namespace cloister {

/// Writes small ONNX models for tests, field by field, as they stand on the wire.
/// Source: onnx.proto3 of ONNX 1.17 for field numbers; protobuf's "Encoding" for the wire.
class OnnxMessage {
 public:
  OnnxMessage& number(unsigned field, std::int64_t value) {
    varint(field << 3);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  OnnxMessage& text(unsigned field, std::string_view value) {
    varint((field << 3) | 2U);
    varint(value.size());
    wire_.append(value);
    return *this;
  }
  OnnxMessage& message(unsigned field, const OnnxMessage& value) {
    return text(field, value.wire_);
  }
  OnnxMessage& texts(unsigned field, const std::vector<std::string>& values) {
    for (const std::string& value : values) text(field, value);
    return *this;
  }
  const std::string& wire() const noexcept { return wire_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) wire_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    wire_.push_back(static_cast<char>(value));
  }
  std::string wire_;
};

/// ONNX element types that tests use.
enum class OnnxType { f32 = 1, i64 = 7, text = 8, boolean = 9, f64 = 11 };

/// A NodeProto.
inline OnnxMessage onnx_node(std::string_view op, const std::vector<std::string>& inputs,
                             const std::vector<std::string>& outputs,
                             const std::vector<OnnxMessage>& attributes = {}) {
  OnnxMessage node;
  node.texts(1, inputs).texts(2, outputs).text(4, op);
  for (const OnnxMessage& attribute : attributes) node.message(5, attribute);
  return node;
}

/// An AttributeProto that holds a graph (type GRAPH is 5) or an integer (type INT is 2).
inline OnnxMessage onnx_graph_attribute(std::string_view name, const OnnxMessage& graph) {
  return OnnxMessage().text(1, name).message(6, graph).number(20, 5);
}
inline OnnxMessage onnx_int_attribute(std::string_view name, std::int64_t value) {
  return OnnxMessage().text(1, name).number(3, value).number(20, 2);
}

/// A ValueInfoProto; an extent below zero is the symbol "batch".
inline OnnxMessage onnx_value(std::string_view name, OnnxType type,
                              const std::vector<std::int64_t>& shape) {
  OnnxMessage extents;
  for (const std::int64_t extent : shape) {
    OnnxMessage dimension;
    if (extent < 0) dimension.text(2, "batch");
    if (extent >= 0) dimension.number(1, extent);
    extents.message(1, dimension);
  }
  const OnnxMessage tensor =
      OnnxMessage().number(1, static_cast<std::int64_t>(type)).message(2, extents);
  return OnnxMessage().text(1, name).message(2, OnnxMessage().message(1, tensor));
}

/// A TensorProto with its bytes inside.
inline OnnxMessage onnx_tensor(std::string_view name, OnnxType type,
                               const std::vector<std::int64_t>& shape, std::string_view raw) {
  OnnxMessage tensor;
  for (const std::int64_t extent : shape) tensor.number(1, extent);
  return tensor.number(2, static_cast<std::int64_t>(type)).text(8, name).text(9, raw);
}

/// A TensorProto whose bytes lie in the weights segment, as our canonical encoding writes it.
inline OnnxMessage onnx_weight(std::string_view name, OnnxType type,
                               const std::vector<std::int64_t>& shape, std::uint64_t offset,
                               std::uint64_t bytes) {
  OnnxMessage tensor;
  for (const std::int64_t extent : shape) tensor.number(1, extent);
  tensor.number(2, static_cast<std::int64_t>(type)).text(8, name);
  const std::initializer_list<std::pair<std::string_view, std::string>> entries = {
      {"location", std::string(kWeightsLocation)},
      {"offset", std::to_string(offset)},
      {"length", std::to_string(bytes)}};
  for (const auto& [key, value] : entries) {
    tensor.message(13, OnnxMessage().text(1, key).text(2, value));
  }
  return tensor.number(14, 1);
}

/// A GraphProto.
struct OnnxGraph {
  std::vector<OnnxMessage> nodes;
  std::vector<OnnxMessage> initializers;
  std::vector<OnnxMessage> inputs;
  std::vector<OnnxMessage> outputs;
};
inline OnnxMessage onnx_graph(const OnnxGraph& parts) {
  OnnxMessage graph;
  for (const OnnxMessage& node : parts.nodes) graph.message(1, node);
  graph.text(2, "graph");
  for (const OnnxMessage& initializer : parts.initializers) graph.message(5, initializer);
  for (const OnnxMessage& input : parts.inputs) graph.message(11, input);
  for (const OnnxMessage& output : parts.outputs) graph.message(12, output);
  return graph;
}

/// A ModelProto of ONNX version 8 and operator set 17.
inline ByteVector onnx_model(const OnnxGraph& graph) {
  OnnxMessage model;
  model.number(1, 8).message(7, onnx_graph(graph)).message(8, OnnxMessage().number(2, 17));
  return copy_of(bytes_of(model.wire()));
}

}  // namespace cloister
