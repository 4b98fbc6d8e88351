#include "hostile_models/parts.h"

#include <utility>

namespace cloister {

ByteVector model_bytes(const ModelParts& parts) {
  OnnxMessage model;
  model.number(1, parts.ir_version).message(7, parts.graph);
  for (const auto& [domain, version] : parts.imports) {
    model.message(8, OnnxMessage().text(1, domain).number(2, version));
  }
  for (const OnnxMessage& function : parts.functions) model.message(25, function);
  return copy_of(bytes_of(model.wire()));
}

OnnxMessage simple_graph(const std::vector<OnnxMessage>& nodes,
                         const std::vector<OnnxMessage>& initializers) {
  return onnx_graph({nodes,
                     initializers,
                     {onnx_value("x", OnnxType::f32, {1, 4})},
                     {onnx_value("y", OnnxType::f32, {1, 4})}});
}

ByteVector simple_model(const std::vector<OnnxMessage>& nodes,
                        const std::vector<OnnxMessage>& initializers) {
  ModelParts parts;
  parts.graph = simple_graph(nodes, initializers);
  return model_bytes(parts);
}

OnnxMessage relu(std::string_view input, std::string_view output) {
  return onnx_node("Relu", {std::string(input)}, {std::string(output)});
}

OnnxMessage node_of(std::string_view domain, std::string_view op,
                    const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs,
                    const std::vector<OnnxMessage>& attributes) {
  OnnxMessage node = onnx_node(op, inputs, outputs, attributes);
  node.text(7, domain);
  return node;
}

OnnxMessage tensor_attribute_message(std::string_view name, const OnnxMessage& tensor) {
  return OnnxMessage().text(1, name).message(5, tensor).number(20, 4);
}

OnnxMessage ints_attribute(std::string_view name, const std::vector<std::int64_t>& values) {
  OnnxMessage attribute;
  attribute.text(1, name);
  for (const std::int64_t value : values) attribute.number(8, value);
  return attribute.number(20, 7);
}

OnnxMessage floats_attribute(std::string_view name, std::size_t count) {
  return OnnxMessage().text(1, name).text(7, std::string(4 * count, '\0')).number(20, 6);
}

OnnxMessage strings_attribute(std::string_view name, const std::vector<std::string>& values) {
  return OnnxMessage().text(1, name).texts(9, values).number(20, 8);
}

OnnxMessage small_tensor(std::string_view name) {
  return onnx_tensor(name, OnnxType::f32, {4}, std::string(16, '\0'));
}

OnnxMessage external_tensor(std::string_view name, std::string_view location) {
  OnnxMessage tensor;
  tensor.number(1, 4).number(2, 1).text(8, name);
  tensor.message(13, OnnxMessage().text(1, "location").text(2, location));
  return tensor.number(14, 1);
}

OnnxMessage int64_tensor(std::string_view name, const std::vector<std::int64_t>& values) {
  std::string raw;
  for (const std::int64_t value : values) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      raw.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff));
    }
  }
  return onnx_tensor(name, OnnxType::i64, {static_cast<std::int64_t>(values.size())}, raw);
}

OnnxMessage sparse_tensor(const OnnxMessage& values, const OnnxMessage& indices,
                          std::int64_t dense) {
  return OnnxMessage().message(1, values).message(2, indices).number(3, dense);
}

std::vector<HostileModel> hostile_models() {
  std::vector<HostileModel> all;
  for (auto* list : {&hostile_references, &hostile_operators, &hostile_structures,
                     &hostile_encodings, &hostile_bombs, &hostile_trees}) {
    for (HostileModel& model : list()) all.push_back(std::move(model));
  }
  return all;
}

}  // namespace cloister
