#include <utility>

#include "hostile_models/parts.h"

namespace cloister {
namespace {

constexpr int kManyNodes = 60'000;

std::string numbered(const char* text, int number) { return text + std::to_string(number); }

std::vector<OnnxMessage> relus(int count, std::string_view domain = {},
                               std::string_view op = "Relu") {
  std::vector<OnnxMessage> nodes;
  for (int i = 0; i < count; ++i) {
    nodes.push_back(node_of(domain, op, {"x"}, {i == 0 ? "y" : numbered("n", i)}));
  }
  return nodes;
}

/// Every node calls the last of a thousand functions.
ByteVector calls_of_functions() {
  ModelParts parts;
  parts.imports = {{"", 17}, {"f", 1}};
  parts.graph = simple_graph(relus(kManyNodes, "f", "f1023"));
  for (int i = 0; i < 1024; ++i) {
    parts.functions.push_back(OnnxMessage()
                                  .text(1, numbered("f", i))
                                  .text(4, "a")
                                  .text(5, "b")
                                  .message(7, relu("a", "b"))
                                  .message(9, OnnxMessage().number(2, 17))
                                  .text(10, "f"));
  }
  return model_bytes(parts);
}

/// Every node's domain is the last of thousands of imports.
ByteVector imports_of_nodes() {
  ModelParts parts;
  parts.imports.clear();
  for (int i = 0; i < 4095; ++i) parts.imports.emplace_back(numbered("unused", i), 1);
  parts.imports.emplace_back("", 17);
  parts.graph = simple_graph(relus(kManyNodes));
  return model_bytes(parts);
}

/// As many ZipMaps as outputs, and as many of both as names are allowed.
ByteVector zip_maps() {
  const OnnxMessage labels = ints_attribute("classlabels_int64s", {0, 1});
  OnnxGraph graph;
  graph.inputs = {onnx_value("x", OnnxType::f32, {1, 2})};
  for (int i = 0; i < 32'000; ++i) {
    graph.nodes.push_back(node_of("ai.onnx.ml", "ZipMap", {"x"}, {numbered("y", i)}, {labels}));
    graph.outputs.push_back(onnx_value(numbered("y", i), OnnxType::f32, {1, 2}));
  }
  ModelParts parts;
  parts.imports = {{"ai.onnx.ml", 1}};
  parts.graph = onnx_graph(graph);
  return model_bytes(parts);
}

/// Loops in loops, each of which has to be followed twice because its state grows; the innermost
/// has as many weights as a model may have.
ByteVector growing_loops() {
  std::vector<OnnxMessage> weights;
  for (int i = 0; i < 32'000; ++i) weights.push_back(small_tensor(numbered("w", i)));
  OnnxMessage body;
  for (int level = 6; level >= 0; --level) {
    const std::string s = numbered("s", level);
    const std::string r = numbered("r", level);
    const std::string inner = numbered("k", level);
    std::vector<OnnxMessage> nodes;
    if (level == 6) {
      nodes.push_back(onnx_node("Identity", {s}, {inner}));
    } else {
      nodes.push_back(
          onnx_node("Loop", {"m", "", s}, {inner}, {onnx_graph_attribute("body", body)}));
    }
    nodes.push_back(onnx_node("Concat", {inner, inner}, {r}, {onnx_int_attribute("axis", 0)}));
    nodes.push_back(onnx_node("Identity", {numbered("go", level)}, {numbered("g", level)}));
    body = onnx_graph({nodes,
                       level == 6 ? weights : std::vector<OnnxMessage>{},
                       {onnx_value(numbered("i", level), OnnxType::i64, {}),
                        onnx_value(numbered("go", level), OnnxType::boolean, {}),
                        onnx_value(s, OnnxType::f32, {4})},
                       {onnx_value(numbered("g", level), OnnxType::boolean, {}),
                        onnx_value(r, OnnxType::f32, {4})}});
  }
  return simple_model(
      {onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
      {int64_tensor("m", {1})});
}

/// One node that makes as many values as names are allowed, each of 32 dimensions.
ByteVector values_of_many_dimensions() {
  constexpr int kValues = 130'000;
  std::vector<std::string> outputs;
  for (int i = 0; i < kValues; ++i) outputs.push_back(i == 0 ? "y" : numbered("n", i));
  std::vector<std::int64_t> shape(32, 1);
  shape[31] = kValues;
  ModelParts parts;
  parts.graph = onnx_graph({{onnx_node("Split", {"x"}, outputs, {onnx_int_attribute("axis", 31)})},
                            {},
                            {onnx_value("x", OnnxType::f32, shape)},
                            {onnx_value("y", OnnxType::f32, shape)}});
  return model_bytes(parts);
}

/// As much of everything as fits: nodes, names, attributes, tensors, dimensions.
ByteVector everything() {
  constexpr int kMany = 65'000;
  const auto real = [](std::string_view name) {
    OnnxMessage attribute;
    return attribute.text(1, name).number(20, 1);
  };
  OnnxGraph graph;
  for (int i = 0; i < kMany; ++i) {
    graph.nodes.push_back(onnx_node("Selu", {"x"}, {i == 0 ? "y" : numbered("n", i)},
                                    {real("alpha"), real("gamma")}));
    if (i % 2 != 0) continue;
    graph.initializers.push_back(
        onnx_tensor(numbered("w", i), OnnxType::f32, {1, 1, 1, 1}, std::string(4, '\0')));
  }
  graph.inputs = {onnx_value("x", OnnxType::f32, {1, 2})};
  graph.outputs = {onnx_value("y", OnnxType::f32, {1, 2})};
  ModelParts parts;
  parts.graph = onnx_graph(graph);
  return model_bytes(parts);
}

/// As many declared types, each a sequence of sequences, as names are allowed.
ByteVector declared_types() {
  const OnnxMessage tensor = OnnxMessage().message(1, OnnxMessage().number(1, 1));
  const OnnxMessage sequence = OnnxMessage().message(4, OnnxMessage().message(1, tensor));
  const OnnxMessage deep = OnnxMessage().message(4, OnnxMessage().message(1, sequence));
  OnnxGraph graph;
  for (int i = 0; i < 32'000; ++i) {
    graph.outputs.push_back(OnnxMessage().text(1, numbered("o", i)).message(2, deep));
  }
  graph.nodes = {relu("x", "o1")};
  graph.inputs = {onnx_value("x", OnnxType::f32, {1, 2})};
  ModelParts parts;
  parts.graph = onnx_graph(graph);
  return model_bytes(parts);
}

}  // namespace

std::vector<HostileModel> burdens() {
  return {
      {"calls-of-functions", "", calls_of_functions()},
      {"imports-of-nodes", "", imports_of_nodes()},
      {"zip-maps", "limit-signature", zip_maps()},
      {"growing-loops", "", growing_loops()},
      {"values-of-many-dimensions", "", values_of_many_dimensions()},
      {"everything", "", everything()},
      {"declared-types", "name-undefined", declared_types()},
  };
}

}  // namespace cloister
