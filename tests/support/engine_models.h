#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "model/model.h"
#include "support/onnx_writer.h"

namespace cloister {

/// A tensor with memory of its own, for tests.
struct HeldTensor {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  ByteVector bytes;
  NamedTensorView view() const { return {name, {type, shape, bytes}}; }
};
inline HeldTensor held_floats(std::string name, Shape shape, const std::vector<float>& values) {
  return {std::move(name), DType::f32, std::move(shape), copy_of(std::as_bytes(std::span(values)))};
}
inline std::vector<float> floats_of(const TensorView& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

/// A model and its weights segment.
struct EngineExample {
  GraphBundle bundle;
  std::vector<float> weights;
};

inline TensorSpec spec_of(std::string name, DType type, const std::vector<std::uint64_t>& shape) {
  TensorSpec spec{std::move(name), type, true, {}};
  for (const std::uint64_t extent : shape) spec.extents.push_back({extent, ""});
  return spec;
}

/// y = x + w, z = x * w over 64 floats; w is 1, 2, 3, ... in the weights segment.
inline EngineExample weighted_example() {
  constexpr std::int64_t kCount = 64;
  EngineExample example;
  OnnxGraph graph;
  graph.nodes = {onnx_node("Add", {"x", "w"}, {"y"}), onnx_node("Mul", {"x", "w"}, {"z"})};
  graph.initializers = {onnx_weight("w", OnnxType::f32, {kCount}, 0, kCount * 4)};
  graph.inputs = {onnx_value("x", OnnxType::f32, {kCount})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {kCount}),
                   onnx_value("z", OnnxType::f32, {kCount})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.weights = {{"w", DType::f32, {kCount}, 0, kCount * 4}};
  example.bundle.weights_bytes = kCount * 4;
  example.bundle.signature.inputs = {spec_of("x", DType::f32, {kCount})};
  example.bundle.signature.outputs = {spec_of("y", DType::f32, {kCount}),
                                      spec_of("z", DType::f32, {kCount})};
  for (std::int64_t i = 0; i < kCount; ++i) example.weights.push_back(static_cast<float>(i + 1));
  return example;
}

/// Adds x to itself 2^40 times: it ends by being ended.
inline EngineExample endless_example() {
  EngineExample example;
  OnnxGraph body;
  body.nodes = {onnx_node("Identity", {"go"}, {"go_on"}), onnx_node("Add", {"v", "v"}, {"v_next"})};
  body.inputs = {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
                 onnx_value("v", OnnxType::f32, {1})};
  body.outputs = {onnx_value("go_on", OnnxType::boolean, {}),
                  onnx_value("v_next", OnnxType::f32, {1})};
  const std::int64_t rounds = std::int64_t{1} << 40;
  OnnxGraph graph;
  graph.nodes = {onnx_node("Loop", {"rounds", "start", "x"}, {"y"},
                           {onnx_graph_attribute("body", onnx_graph(body))})};
  graph.initializers = {
      onnx_tensor("rounds", OnnxType::i64, {},
                  {reinterpret_cast<const char*>(&rounds), sizeof(rounds)}),
      onnx_tensor("start", OnnxType::boolean, {}, std::string_view("\1", 1))};
  graph.inputs = {onnx_value("x", OnnxType::f32, {1})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {1})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.signature.inputs = {spec_of("x", DType::f32, {1})};
  example.bundle.signature.outputs = {spec_of("y", DType::f32, {1})};
  return example;
}

/// y = x of one type.
inline EngineExample identity_example(OnnxType onnx_type, DType type) {
  EngineExample example;
  OnnxGraph graph;
  graph.nodes = {onnx_node("Identity", {"x"}, {"y"})};
  graph.inputs = {onnx_value("x", onnx_type, {-1})};
  graph.outputs = {onnx_value("y", onnx_type, {-1})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.signature.inputs = {{"x", type, true, {{std::nullopt, "batch"}}}};
  example.bundle.signature.outputs = {{"y", type, true, {{std::nullopt, "batch"}}}};
  return example;
}

/// y = x + (w + w): the optimiser folds the weights, so it must see their content.
inline EngineExample folding_example() {
  EngineExample example = weighted_example();
  OnnxGraph graph;
  graph.nodes = {onnx_node("Add", {"w", "w"}, {"twice"}), onnx_node("Add", {"x", "twice"}, {"y"})};
  graph.initializers = {onnx_weight("w", OnnxType::f32, {64}, 0, 256)};
  graph.inputs = {onnx_value("x", OnnxType::f32, {64})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {64})};
  example.bundle.graph = onnx_model(graph);
  example.bundle.signature.outputs.pop_back();
  return example;
}

}  // namespace cloister
