#include "hostile_models/parts.h"

namespace cloister {
namespace {

/// An If with `body` as both branches.
ByteVector conditional(const OnnxMessage& body) {
  const OnnxMessage flag = onnx_tensor("c", OnnxType::boolean, {}, std::string(1, '\1'));
  const OnnxMessage node = onnx_node("If", {"c"}, {"y"},
                                     {onnx_graph_attribute("then_branch", body),
                                      onnx_graph_attribute("else_branch", body)});
  return simple_model({node}, {flag});
}

/// A model with `tensor` hidden in each place where a tensor can stand.
std::vector<HostileModel> hidden_everywhere(const std::string& what, const std::string& rule,
                                            const std::string& location) {
  const OnnxMessage tensor = external_tensor("t", location);
  const OnnxMessage unnamed = external_tensor("", location);
  const OnnxMessage constant =
      onnx_node("Constant", {}, {"t"}, {tensor_attribute_message("value", unnamed)});
  const OnnxMessage use = onnx_node("Add", {"x", "t"}, {"y"});
  const OnnxMessage index = int64_tensor("", {0});
  const OnnxMessage value = onnx_tensor("t", OnnxType::f32, {1}, std::string(4, '\0'));
  std::vector<HostileModel> models;
  const auto add = [&](const std::string& place, ByteVector bytes) {
    models.push_back({what + "-in-" + place, rule, std::move(bytes)});
  };
  add("initializer", simple_model({use}, {tensor}));
  add("attribute", simple_model({constant, use}));
  add("unused-attribute",
      simple_model({onnx_node("Relu", {"x"}, {"y"},
                              {OnnxMessage().text(1, "more").message(10, tensor).number(20, 9)})}));

  for (const bool in_values : {true, false}) {
    ModelParts sparse;
    const OnnxMessage one =
        sparse_tensor(in_values ? tensor : value, in_values ? index : unnamed, 4);
    sparse.graph = simple_graph({use});
    sparse.graph.message(15, one);
    add(in_values ? "sparse-values" : "sparse-indices", model_bytes(sparse));
    const OnnxMessage attribute =
        OnnxMessage().text(1, "sparse_value").message(22, one).number(20, 11);
    add(in_values ? "sparse-attribute-values" : "sparse-attribute-indices",
        simple_model({onnx_node("Constant", {}, {"t"}, {attribute}), use}));
  }

  const OnnxMessage branch =
      onnx_graph({{constant}, {}, {}, {onnx_value("t", OnnxType::f32, {4})}});
  const OnnxMessage stored =
      onnx_graph({{onnx_node("Identity", {"t"}, {"u"})}, {tensor}, {},
                  {onnx_value("u", OnnxType::f32, {4})}});
  add("subgraph-attribute", conditional(branch));
  add("subgraph-initializer", conditional(stored));

  ModelParts function;
  OnnxMessage body;
  body.text(1, "F").text(4, "x").text(5, "y").message(7, constant).message(7, use);
  body.message(9, OnnxMessage().number(2, 17)).text(10, "own");
  function.graph = simple_graph({node_of("own", "F", {"x"}, {"y"})});
  function.imports.emplace_back("own", 1);
  function.functions = {body};
  add("function", model_bytes(function));

  ModelParts defaults = function;
  defaults.functions[0] = OnnxMessage().text(1, "F").text(4, "x").text(5, "y");
  defaults.functions[0].message(7, relu("x", "y")).message(9, OnnxMessage().number(2, 17));
  defaults.functions[0].text(10, "own").message(11, tensor_attribute_message("a", tensor));
  add("function-default", model_bytes(defaults));
  return models;
}

}  // namespace

std::vector<HostileModel> hostile_references() {
  std::vector<HostileModel> models;
  for (const auto& [what, location] : std::vector<std::pair<std::string, std::string>>{
           {"absolute-path", "/etc/passwd"}, {"parent-path", "../../secret"},
           {"beside-path", "weights.bin"}, {"no-path", ""}}) {
    for (HostileModel& model : hidden_everywhere(what, "external-data", location)) {
      models.push_back(std::move(model));
    }
  }
  for (HostileModel& model :
       hidden_everywhere("memory-marker", "external-memory", "*/_ORT_MEM_ADDR_/*")) {
    models.push_back(std::move(model));
  }

  ModelParts plain;
  plain.graph = simple_graph({relu("x", "y")});
  for (const bool marker : {true, false}) {
    const OnnxMessage graph = simple_graph(
        {relu("x", "y")}, {external_tensor("t", marker ? "*/_ORT_MEM_ADDR_/*" : "/etc/passwd")});
    ByteVector bytes = model_bytes(plain);
    const OnnxMessage training =
        OnnxMessage().message(20, OnnxMessage().message(1, graph).message(2, graph));
    const Bytes more = bytes_of(training.wire());
    bytes.insert(bytes.end(), more.begin(), more.end());
    models.push_back({marker ? "memory-marker-in-training" : "absolute-path-in-training",
                      "training-info", std::move(bytes)});
  }

  const OnnxMessage use = onnx_node("Add", {"x", "t"}, {"y"});
  OnnxMessage flagged = small_tensor("t");
  flagged.number(14, 1);
  models.push_back({"external-flag-beside-data", "external-data", simple_model({use}, {flagged})});
  OnnxMessage listed = small_tensor("t");
  listed.message(13, OnnxMessage().text(1, "location").text(2, "x"));
  models.push_back({"external-entry-without-flag", "external-data", simple_model({use}, {listed})});
  OnnxMessage segmented = small_tensor("t");
  segmented.message(3, OnnxMessage().number(1, 0).number(2, 4));
  models.push_back({"segment", "tensor-segment", simple_model({use}, {segmented})});
  return models;
}

}  // namespace cloister
