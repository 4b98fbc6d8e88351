#include "hostile_models/parts.h"

namespace cloister {
namespace {

const std::int64_t kMany = 300;  // elements: past what stays inside the graph

OnnxMessage large(std::string_view name) {
  return onnx_tensor(name, OnnxType::f32, {kMany}, std::string(4 * kMany, '\1'));
}

ByteVector widened(const std::vector<OnnxMessage>& nodes,
                   const std::vector<OnnxMessage>& initializers, std::int64_t ir_version = 8,
                   bool also_input = false) {
  std::vector<OnnxMessage> inputs{onnx_value("x", OnnxType::f32, {1, kMany})};
  if (also_input) inputs.push_back(onnx_value("t", OnnxType::f32, {kMany}));
  ModelParts parts;
  parts.ir_version = ir_version;
  parts.graph = onnx_graph(
      {nodes, initializers, inputs, {onnx_value("y", OnnxType::f32, {1, kMany})}});
  return model_bytes(parts);
}

/// The same weight in typed fields, as older exporters write them.
OnnxMessage typed(std::int64_t type, bool packed) {
  OnnxMessage tensor;
  tensor.number(1, kMany).number(2, type).text(8, "t");
  if (type == 1 && packed) return tensor.text(4, std::string(4 * kMany, '\1'));
  for (std::int64_t i = 0; i < kMany; ++i) tensor.number(7, i - 2);
  return tensor;
}

ByteVector with_function() {
  OnnxMessage body;
  body.text(1, "F").text(4, "x").text(5, "y").message(7, relu("x", "y"));
  body.message(9, OnnxMessage().number(2, 17)).text(10, "own");
  ModelParts parts;
  parts.graph = simple_graph({node_of("own", "F", {"x"}, {"y"})});
  parts.imports.emplace_back("own", 1);
  parts.functions = {body};
  return model_bytes(parts);
}

ByteVector with_sparse() {
  ModelParts parts;
  parts.graph = simple_graph({onnx_node("Add", {"x", "t"}, {"y"})});
  parts.graph.message(15, sparse_tensor(onnx_tensor("t", OnnxType::f32, {1}, "abcd"),
                                        int64_tensor("", {3}), 4));
  return model_bytes(parts);
}

ByteVector with_loop() {
  const OnnxMessage body = onnx_graph(
      {{onnx_node("Relu", {"s"}, {"r"}), onnx_node("Identity", {"go"}, {"g"})},
       {},
       {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
        onnx_value("s", OnnxType::f32, {1, 4})},
       {onnx_value("g", OnnxType::boolean, {}), onnx_value("r", OnnxType::f32, {1, 4})}});
  return simple_model(
      {onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
      {onnx_tensor("m", OnnxType::i64, {}, std::string("\5\0\0\0\0\0\0\0", 8))});
}

ByteVector with_if() {
  const auto branch = [](std::string_view op, const std::string& out) {
    return onnx_graph({{onnx_node(op, {"x"}, {out})}, {}, {},
                       {onnx_value(out, OnnxType::f32, {1, 4})}});
  };
  return simple_model(
      {onnx_node("If", {"c"}, {"y"}, {onnx_graph_attribute("then_branch", branch("Relu", "a")),
                                      onnx_graph_attribute("else_branch", branch("Neg", "b"))})},
      {onnx_tensor("c", OnnxType::boolean, {}, std::string(1, '\1'))});
}

ByteVector with_zip_map() {
  ModelParts parts;
  const OnnxMessage map = OnnxMessage().number(1, 7).message(
      2, OnnxMessage().message(1, OnnxMessage().number(1, 1)));
  const OnnxMessage maps = OnnxMessage().message(
      4, OnnxMessage().message(1, OnnxMessage().message(5, map)));
  parts.graph = onnx_graph({{node_of("ai.onnx.ml", "ZipMap", {"x"}, {"y"},
                                     {ints_attribute("classlabels_int64s", {0, 1, 2, 3})})},
                            {},
                            {onnx_value("x", OnnxType::f32, {1, 4})},
                            {OnnxMessage().text(1, "y").message(2, maps)}});
  parts.imports = {{"ai.onnx.ml", 3}};
  return model_bytes(parts);
}

ByteVector documented() {
  OnnxMessage model;
  model.number(1, 8).text(2, "exporter").text(3, "1.0").text(6, "documentation");
  model.message(7, simple_graph({relu("x", "y").text(6, "documentation")}).text(10, "more"));
  model.message(8, OnnxMessage().number(2, 17));
  model.message(14, OnnxMessage().text(1, "key").text(2, "value"));
  return copy_of(bytes_of(model.text(99, "a field of the future").wire()));
}

}  // namespace

std::vector<HostileModel> legal_models() {
  const OnnxMessage add = onnx_node("Add", {"x", "t"}, {"y"});
  const OnnxMessage constant = onnx_node(
      "Constant", {}, {"t"}, {tensor_attribute_message("value", large(""))});
  OnnxMessage packed_dims;
  packed_dims.text(1, std::string("\1\4", 2)).number(2, 1).text(8, "t").text(9, std::string(16, 0));
  const std::string odd = "a/b:0 \xc3\xa9;\"\\\n";
  return {
      {"relu", "", simple_model({relu("x", "y")})},
      {"unsorted", "", simple_model({relu("a", "y"), relu("x", "a")})},
      {"unused-import", "",
       model_bytes({.graph = simple_graph({relu("x", "y")}),
                    .imports = {{"", 17}, {"com.vendor", 3}, {"ai.onnx", 17}}})},
      {"odd-names", "", simple_model({relu("x", odd), relu(odd, "y")})},
      {"dimension-0", "",
       simple_model({onnx_node("Concat", {"x", "t"}, {"y"}, {onnx_int_attribute("axis", 1)})},
                    {onnx_tensor("t", OnnxType::f32, {1, 0}, "")})},
      {"packed-dims", "", simple_model({add}, {packed_dims})},
      {"documented", "", documented()},
      {"function", "", with_function()},
      {"sparse", "", with_sparse()},
      {"loop", "", with_loop()},
      {"if", "", with_if()},
      {"zip-map", "", with_zip_map()},
      {"weight", "", widened({add}, {large("t")})},
      {"weight-as-packed-floats", "", widened({add}, {typed(1, true)})},
      {"weight-as-integers", "",
       widened({onnx_node("Cast", {"t"}, {"f"}, {onnx_int_attribute("to", 1)}),
                onnx_node("Add", {"x", "f"}, {"y"})},
               {typed(7, false)})},
      {"weight-as-constant", "", widened({constant, add}, {})},
      {"weight-also-input", "", widened({add}, {large("t")}, 8, true)},
      {"weight-also-input-in-ir-3", "", widened({add}, {large("t")}, 3, true)},
  };
}

}  // namespace cloister
