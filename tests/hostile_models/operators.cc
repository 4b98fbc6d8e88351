#include "hostile_models/parts.h"

namespace cloister {
namespace {

OnnxMessage function_of(std::string_view name, const std::vector<OnnxMessage>& nodes) {
  OnnxMessage function;
  function.text(1, name).text(4, "x").text(5, "y");
  for (const OnnxMessage& node : nodes) function.message(7, node);
  function.message(9, OnnxMessage().number(2, 17));
  function.message(9, OnnxMessage().text(1, "own").number(2, 1));
  return function.text(10, "own");
}

ByteVector with_functions(const std::vector<OnnxMessage>& functions) {
  ModelParts parts;
  parts.graph = simple_graph({node_of("own", "F0", {"x"}, {"y"})});
  parts.imports.emplace_back("own", 1);
  parts.functions = functions;
  return model_bytes(parts);
}

ByteVector with_import(std::string domain, std::int64_t version, const OnnxMessage& node) {
  ModelParts parts;
  parts.graph = simple_graph({node});
  parts.imports = {{std::move(domain), version}};
  return model_bytes(parts);
}

OnnxMessage call(int number, std::string_view input, std::string_view output) {
  return node_of("own", "F" + std::to_string(number), {std::string(input)}, {std::string(output)});
}

/// Each function calls the next one twice: 2^40 nodes when they are expanded.
ByteVector doubling_functions() {
  std::vector<OnnxMessage> functions;
  for (int i = 0; i < 20; ++i) {
    functions.push_back(function_of("F" + std::to_string(i),
                                    {call(i + 1, "x", "a"), call(i + 1, "a", "y")}));
  }
  functions.push_back(function_of("F20", {relu("x", "y")}));
  return with_functions(functions);
}

ByteVector deep_functions() {
  std::vector<OnnxMessage> functions;
  for (int i = 0; i < 100; ++i) {
    functions.push_back(function_of("F" + std::to_string(i), {call(i + 1, "x", "y")}));
  }
  functions.push_back(function_of("F100", {relu("x", "y")}));
  return with_functions(functions);
}

/// Functions whose attribute has a default that is none.
std::vector<HostileModel> bad_defaults() {
  const auto with_default = [](const OnnxMessage& attribute) {
    return with_functions({function_of("F0", {relu("x", "y")}).message(11, attribute)});
  };
  return {
      {"default-of-another-kind", "attribute-kind",
       with_default(OnnxMessage().text(1, "a").message(5, small_tensor("t")).number(20, 11))},
      {"default-without-kind", "attribute-kind", with_default(OnnxMessage().text(1, "a"))},
      {"default-without-name", "attribute-name", with_default(onnx_int_attribute("", 1))},
      {"default-refers", "attribute-reference",
       with_default(OnnxMessage().text(1, "a").text(21, "b").number(20, 2))},
  };
}

}  // namespace

std::vector<HostileModel> hostile_operators() {
  const OnnxMessage plain = relu("x", "y");
  std::vector<HostileModel> models{
      {"unknown-domain", "operator-domain",
       with_import("com.evil", 1, node_of("com.evil", "Run", {"x"}, {"y"}))},
      {"runtime-internal-domain", "operator-unknown",
       with_import("com.microsoft.nchwc", 1, node_of("com.microsoft.nchwc", "Conv", {"x"}, {"y"}))},
      {"unknown-operator", "operator-unknown", simple_model({onnx_node("Shell", {"x"}, {"y"})})},
      {"unlisted-microsoft-operator", "operator-unknown",
       with_import("com.microsoft", 1, node_of("com.microsoft", "EPContext", {"x"}, {"y"}))},
      {"operator-from-the-future", "operator-version",
       simple_model({onnx_node("Gelu", {"x"}, {"y"})})},
      {"withdrawn-operator", "operator-deprecated",
       simple_model({onnx_node("Upsample", {"x", "x"}, {"y"})})},
      {"opset-too-new", "opset-version", with_import("", 99, plain)},
      {"opset-zero", "opset-version", with_import("", 0, plain)},
      {"opset-negative", "opset-version", with_import("", -1, plain)},
      {"opset-not-imported", "opset-missing", with_import("ai.onnx.ml", 3, plain)},
      {"ir-too-new", "ir-version",
       model_bytes({.graph = simple_graph({plain}), .ir_version = 99})},
      {"ir-negative", "ir-version",
       model_bytes({.graph = simple_graph({plain}), .ir_version = -1})},
      {"two-versions-of-a-domain", "opset-duplicate",
       model_bytes({.graph = simple_graph({plain}), .imports = {{"", 17}, {"ai.onnx", 13}}})},
      {"function-calls-itself", "function-recursion",
       with_functions({function_of("F0", {call(0, "x", "y")})})},
      {"functions-call-each-other", "function-recursion",
       with_functions({function_of("F0", {call(1, "x", "y")}),
                       function_of("F1", {call(0, "x", "y")})})},
      {"functions-double", "limit-inlined-nodes", doubling_functions()},
      {"functions-deep", "limit-function-nesting", deep_functions()},
      {"function-twice", "name-duplicate",
       with_functions({function_of("F0", {plain}), function_of("F0", {plain})})},
      {"attribute-of-another-kind", "attribute-kind",
       simple_model({onnx_node("LeakyRelu", {"x"}, {"y"}, {onnx_int_attribute("alpha", 1)})})},
      {"attribute-unknown", "attribute-unknown",
       simple_model({onnx_node("Relu", {"x"}, {"y"}, {onnx_int_attribute("library", 1)})})},
      {"attribute-missing", "attribute-missing", simple_model({onnx_node("Cast", {"x"}, {"y"})})},
      {"attribute-twice", "attribute-duplicate",
       simple_model({onnx_node("Flatten", {"x"}, {"y"}, {onnx_int_attribute("axis", 1),
                                                         onnx_int_attribute("axis", 0)})})},
      {"attribute-with-two-values", "attribute-kind",
       simple_model({onnx_node("Flatten", {"x"}, {"y"},
                               {onnx_int_attribute("axis", 1).text(4, "text")})})},
      {"attribute-reference-outside-function", "attribute-reference",
       simple_model({onnx_node("Flatten", {"x"}, {"y"},
                               {OnnxMessage().text(1, "axis").text(21, "a").number(20, 2)})})},
      {"too-few-inputs", "node-inputs", simple_model({onnx_node("Add", {"x"}, {"y"})})},
      {"too-many-outputs", "node-outputs", simple_model({onnx_node("Relu", {"x"}, {"y", "z"})})},
  };
  ModelParts shadow;
  shadow.graph = simple_graph({plain});
  shadow.functions = {OnnxMessage().text(1, "Relu").text(4, "x").text(5, "y").message(
      7, onnx_node("Neg", {"x"}, {"y"})).message(9, OnnxMessage().number(2, 17))};
  for (HostileModel& model : bad_defaults()) models.push_back(std::move(model));
  models.push_back({"function-replaces-operator", "function-name", model_bytes(shadow)});
  return models;
}

}  // namespace cloister
