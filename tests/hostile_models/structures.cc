#include "hostile_models/parts.h"
#include "model/model.h"

namespace cloister {
namespace {

OnnxMessage value_of_kind(std::string_view name, unsigned kind) {
  const OnnxMessage tensor = OnnxMessage().message(1, OnnxMessage().number(1, 1));
  return OnnxMessage().text(1, name).message(
      2, OnnxMessage().message(kind, OnnxMessage().message(kind == 5 ? 2 : 1, tensor)));
}

ByteVector with_output(const OnnxMessage& output) {
  ModelParts parts;
  parts.graph = onnx_graph(
      {{relu("x", "y")}, {}, {onnx_value("x", OnnxType::f32, {1, 4})}, {output}});
  return model_bytes(parts);
}

ByteVector with_tensor(const OnnxMessage& tensor) {
  return simple_model({onnx_node("Add", {"x", "t"}, {"y"})}, {tensor});
}

OnnxMessage tensor_of(std::int64_t type, const std::vector<std::int64_t>& dims) {
  OnnxMessage tensor;
  for (const std::int64_t extent : dims) tensor.number(1, extent);
  return tensor.number(2, type).text(8, "t");
}

ByteVector nested_ifs(int depth) {
  const OnnxMessage flag = onnx_tensor("c", OnnxType::boolean, {}, std::string(1, '\1'));
  OnnxMessage body;
  for (int i = depth; i > 0; --i) {
    const std::string out = "n" + std::to_string(i);
    const OnnxMessage inner =
        i == depth ? onnx_node("Identity", {"x"}, {out})
                   : onnx_node("If", {"c"}, {out}, {onnx_graph_attribute("then_branch", body),
                                                    onnx_graph_attribute("else_branch", body)});
    body = onnx_graph({{inner}, {}, {}, {onnx_value(out, OnnxType::f32, {1, 4})}});
  }
  return simple_model({onnx_node("If", {"c"}, {"y"}, {onnx_graph_attribute("then_branch", body),
                                                      onnx_graph_attribute("else_branch", body)})},
                      {flag});
}

ByteVector chain(int length) {
  std::vector<OnnxMessage> nodes;
  std::string last = "x";
  for (int i = 0; i < length; ++i) {
    const std::string next = i + 1 == length ? "y" : "n" + std::to_string(i);
    nodes.push_back(relu(last, next));
    last = next;
  }
  return simple_model(nodes);
}

ByteVector many_initializers(int count) {
  std::vector<OnnxMessage> tensors;
  for (int i = 0; i < count; ++i) tensors.push_back(small_tensor("t" + std::to_string(i)));
  return simple_model({relu("x", "y")}, tensors);
}

OnnxMessage many_attributes() {
  std::vector<OnnxMessage> attributes;
  for (int i = 0; i < 100; ++i) {
    attributes.push_back(onnx_int_attribute("a" + std::to_string(i), i));
  }
  return onnx_node("Relu", {"x"}, {"y"}, attributes);
}

std::vector<HostileModel> names() {
  const std::string long_name(2000, 'n');
  const OnnxMessage add = onnx_node("Add", {"x", "t"}, {"y"});
  OnnxMessage shadow_body = onnx_graph(
      {{onnx_node("Neg", {"x"}, {"t"})}, {}, {}, {onnx_value("t", OnnxType::f32, {1, 4})}});
  const OnnxMessage flag = onnx_tensor("c", OnnxType::boolean, {}, std::string(1, '\1'));
  return {
      {"cycle", "graph-cycle",
       simple_model({onnx_node("Add", {"x", "b"}, {"a"}), onnx_node("Neg", {"a"}, {"b"}),
                     relu("b", "y")})},
      {"node-needs-itself", "graph-cycle", simple_model({onnx_node("Add", {"x", "y"}, {"y"})})},
      {"output-made-twice", "name-duplicate", simple_model({relu("x", "y"), relu("x", "y")})},
      {"node-makes-its-input", "name-duplicate", simple_model({relu("x", "x"), relu("x", "y")})},
      {"initializer-twice", "name-duplicate",
       simple_model({add}, {small_tensor("t"), small_tensor("t")})},
      {"initializer-made-by-node", "name-duplicate",
       simple_model({relu("x", "t"), add}, {small_tensor("t")})},
      {"dangling-input", "name-undefined", simple_model({onnx_node("Add", {"x", "gone"}, {"y"})})},
      {"dangling-output", "name-undefined", simple_model({relu("x", "z")})},
      {"initializer-without-name", "name-empty", simple_model({relu("x", "y")},
                                                              {small_tensor("")})},
      {"name-shadowed", "name-shadowed",
       simple_model({onnx_node("If", {"c"}, {"u"},
                               {onnx_graph_attribute("then_branch", shadow_body),
                                onnx_graph_attribute("else_branch", shadow_body)}), add},
                    {flag, small_tensor("t")})},
      {"name-not-utf8", "name-text", simple_model({relu("x", "\xff\xfe"), relu("\xff\xfe", "y")})},
      {"name-overlong-utf8", "name-text",
       simple_model({relu("x", "\xc0\xaf"), relu("\xc0\xaf", "y")})},
      {"name-surrogate", "name-text",
       simple_model({relu("x", "\xed\xa0\x80"), relu("\xed\xa0\x80", "y")})},
      {"name-with-nul", "name-text",
       simple_model({relu("x", std::string_view("a\0b", 3)),
                     relu(std::string_view("a\0b", 3), "y")})},
      {"name-too-long", "limit-name-length",
       simple_model({relu("x", long_name), relu(long_name, "y")})},
      {"input-name-too-long", "limit-name-length",
       with_output(onnx_value(std::string(kTensorNameMax + 1, 'y'), OnnxType::f32, {1, 4}))},
  };
}

std::vector<HostileModel> tensors() {
  OnnxMessage both = small_tensor("t");
  both.text(4, std::string(16, '\0'));
  OnnxMessage wrong_field = tensor_of(1, {4});
  wrong_field.text(7, std::string(4, '\1'));
  OnnxMessage wild_bool = tensor_of(9, {4});
  wild_bool.text(9, std::string("\0\1\2\xff", 4));
  OnnxMessage wild_int8 = tensor_of(3, {1});
  wild_int8.number(5, 1000);
  OnnxMessage text_as_raw = tensor_of(8, {1});
  text_as_raw.text(9, "abcd");
  OnnxMessage short_raw = tensor_of(1, {4});
  short_raw.text(9, std::string(15, '\0'));
  OnnxMessage long_raw = tensor_of(1, {4});
  long_raw.text(9, std::string(17, '\0'));
  OnnxMessage few_floats = tensor_of(1, {4});
  few_floats.text(4, std::string(12, '\0'));
  const OnnxMessage index = int64_tensor("", {9});
  const OnnxMessage one = onnx_tensor("t", OnnxType::f32, {1}, std::string(4, '\0'));
  ModelParts wild_sparse;
  wild_sparse.graph = simple_graph({onnx_node("Add", {"x", "t"}, {"y"})});
  wild_sparse.graph.message(15, sparse_tensor(one, index, 4));
  ModelParts large_sparse;
  large_sparse.graph = simple_graph({onnx_node("Add", {"x", "t"}, {"y"})});
  large_sparse.graph.message(15, sparse_tensor(one, index, 1LL << 30));
  return {
      {"data-shorter-than-shape", "tensor-size", with_tensor(short_raw)},
      {"data-longer-than-shape", "tensor-size", with_tensor(long_raw)},
      {"no-data", "tensor-size", with_tensor(tensor_of(1, {4}))},
      {"few-floats", "tensor-size", with_tensor(few_floats)},
      {"negative-extent", "tensor-shape", with_tensor(tensor_of(1, {-4}))},
      {"overflowing-shape", "tensor-shape",
       with_tensor(tensor_of(1, {1LL << 40, 1LL << 40}))},
      {"overflow-to-zero", "tensor-shape",
       with_tensor(tensor_of(1, {1LL << 32, 1LL << 32}))},
      {"too-many-dimensions", "tensor-shape",
       with_tensor(tensor_of(1, std::vector<std::int64_t>(100, 1)))},
      {"type-undefined", "tensor-type", with_tensor(tensor_of(0, {4}))},
      {"type-unknown", "tensor-type", with_tensor(tensor_of(77, {4}))},
      {"two-encodings-of-values", "tensor-encodings", with_tensor(both)},
      {"values-in-a-wrong-field", "tensor-storage", with_tensor(wrong_field)},
      {"strings-as-raw", "tensor-storage", with_tensor(text_as_raw)},
      {"booleans-of-two", "tensor-range", with_tensor(wild_bool)},
      {"int8-of-1000", "tensor-range", with_tensor(wild_int8)},
      {"sparse-index-outside", "sparse-index", model_bytes(wild_sparse)},
      {"sparse-bomb", "limit-sparse-size", model_bytes(large_sparse)},
      {"sparse-without-shape", "sparse-shape",
       simple_model({onnx_node("Constant", {}, {"t"},
                               {OnnxMessage().text(1, "sparse_value").number(20, 11).message(
                                   22, OnnxMessage().message(1, one).message(2, index))}),
                     onnx_node("Add", {"x", "t"}, {"y"})})},
  };
}

}  // namespace

std::vector<HostileModel> hostile_structures() {
  std::vector<HostileModel> models = names();
  for (HostileModel& model : tensors()) models.push_back(std::move(model));
  const auto add = [&](std::string name, std::string rule, ByteVector bytes) {
    models.push_back({std::move(name), std::move(rule), std::move(bytes)});
  };
  add("output-sequence", "signature-type", with_output(value_of_kind("y", 4)));
  add("output-map", "signature-type", with_output(value_of_kind("y", 5)));
  add("output-optional", "signature-type", with_output(value_of_kind("y", 9)));
  add("output-without-type", "signature-type", with_output(OnnxMessage().text(1, "y")));
  add("output-complex", "signature-type",
      with_output(onnx_value("y", static_cast<OnnxType>(14), {1, 4})));
  add("no-outputs", "signature-empty",
      model_bytes({.graph = onnx_graph({{relu("x", "y")},
                                        {},
                                        {onnx_value("x", OnnxType::f32, {1, 4})},
                                        {}})}));
  add("nested-too-deep", "limit-graph-nesting", nested_ifs(9));
  add("too-many-nodes", "limit-nodes", chain((1 << 16) + 1));
  add("too-many-initializers", "limit-tensors", many_initializers((1 << 16) + 1));
  add("too-many-attributes", "limit-node-attributes", simple_model({many_attributes()}));
  add("too-many-value-names", "limit-value-names",
      simple_model({onnx_node("Max", std::vector<std::string>((1 << 18) + 1, "x"), {"y"})}));
  add("string-too-long", "limit-string-length",
      simple_model({onnx_node("Cast", {"x"}, {"y"},
                              {OnnxMessage().text(1, "to").text(4, std::string(2 << 20, 's'))
                                   .number(20, 3)})}));
  add("too-many-strings", "limit-strings",
      simple_model({onnx_node("StringNormalizer", {"x"}, {"y"},
                              {strings_attribute("stopwords", std::vector<std::string>(
                                                                  (1 << 20) + 1, "s"))})}));
  OnnxMessage type;
  type.message(1, OnnxMessage().number(1, 1));
  for (int i = 0; i < 100; ++i) type = OnnxMessage().message(4, OnnxMessage().message(1, type));
  add("type-nested-too-deep", "limit-type-nesting",
      with_output(OnnxMessage().text(1, "y").message(2, type)));
  return models;
}

}  // namespace cloister
