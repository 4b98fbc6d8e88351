#include <utility>

#include "hostile_models/parts.h"

namespace cloister {
namespace {

OnnxMessage integer(std::string_view name, std::int64_t value) {
  std::string raw;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    raw.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff));
  }
  return onnx_tensor(name, OnnxType::i64, {}, raw);
}

OnnxMessage scales(std::string_view name, float first) {
  std::string raw;
  const float values[] = {1.0F, first};
  for (const float value : values) {
    std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    raw += bytes;
  }
  return onnx_tensor(name, OnnxType::f32, {2}, raw);
}

OnnxMessage body_of_loop(const std::vector<OnnxMessage>& nodes,
                         const std::vector<OnnxMessage>& outputs) {
  return onnx_graph({nodes,
                     {},
                     {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
                      onnx_value("s", OnnxType::f32, {})},
                     outputs});
}

/// `count` doublings of x by Concat with itself.
ByteVector doublings(int count) {
  std::vector<OnnxMessage> nodes;
  std::string last = "x";
  for (int i = 0; i < count; ++i) {
    const std::string next = i + 1 == count ? "y" : "n" + std::to_string(i);
    nodes.push_back(onnx_node("Concat", {last, last}, {next}, {onnx_int_attribute("axis", 0)}));
    last = next;
  }
  return simple_model(nodes);
}

/// Loops in loops, `trips` iterations each.
ByteVector nested_loops(int depth, std::int64_t trips) {
  OnnxMessage body;
  const OnnxMessage go = onnx_value("go_out", OnnxType::boolean, {});
  for (int level = depth; level > 0; --level) {
    const std::string suffix = std::to_string(level);
    const std::string in = "s" + suffix;
    const std::string out = "o" + suffix;
    const OnnxMessage work =
        level == depth ? onnx_node("MatMul", {in, "w"}, {out})
                       : onnx_node("Loop", {"m", "", in}, {out},
                                   {onnx_graph_attribute("body", body)});
    body = onnx_graph({{work, onnx_node("Identity", {"go" + suffix}, {"g" + suffix})},
                       {},
                       {onnx_value("i" + suffix, OnnxType::i64, {}),
                        onnx_value("go" + suffix, OnnxType::boolean, {}),
                        onnx_value(in, OnnxType::f32, {1, 4})},
                       {onnx_value("g" + suffix, OnnxType::boolean, {}),
                        onnx_value(out, OnnxType::f32, {1, 4})}});
  }
  return simple_model(
      {onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
      {integer("m", trips), onnx_tensor("w", OnnxType::f32, {4, 4}, std::string(64, '\0'))});
}

/// Operators whose output is as large as a constant says.
std::vector<HostileModel> large_outputs() {
  const OnnxMessage to_output = onnx_node("ReduceSum", {"b"}, {"y"});
  return {
      // The shape of onnxruntime issue 28730: a few bytes, a constant of hundreds of megabytes.
      {"constant-of-shape-folded", "cost-constants",
       simple_model({onnx_node("ConstantOfShape", {"n"}, {"b"}), to_output},
                    {int64_tensor("n", {75'000'000})})},
      {"constant-of-shape", "cost-activations",
       simple_model({onnx_node("ConstantOfShape", {"n"}, {"b"}), to_output},
                    {int64_tensor("n", {1LL << 20, 1LL << 20})})},
      {"constant-of-shape-overflow", "cost-activations",
       simple_model({onnx_node("ConstantOfShape", {"n"}, {"b"}), to_output},
                    {int64_tensor("n", {INT64_MAX, INT64_MAX})})},
      {"range", "cost-activations",
       simple_model({onnx_node("Range", {"f", "t", "s"}, {"b"}), to_output},
                    {integer("f", 0), integer("t", 1LL << 40), integer("s", 1)})},
      {"tile", "cost-activations",
       simple_model({onnx_node("Tile", {"x", "n"}, {"b"}), to_output},
                    {int64_tensor("n", {1 << 20, 1 << 20})})},
      {"expand", "cost-activations",
       simple_model({onnx_node("Expand", {"x", "n"}, {"b"}), to_output},
                    {int64_tensor("n", {1 << 20, 1 << 20, 1, 4})})},
      {"resize-by-scales", "cost-activations",
       simple_model({onnx_node("Resize", {"x", "", "n"}, {"b"}), to_output},
                    {scales("n", 1e12F)})},
      {"resize-to-sizes", "cost-activations",
       simple_model({onnx_node("Resize", {"x", "", "", "n"}, {"b"}), to_output},
                    {int64_tensor("n", {1 << 20, 1 << 20})})},
      {"pad", "cost-activations",
       simple_model({onnx_node("Pad", {"x", "n"}, {"b"}), to_output},
                    {int64_tensor("n", {0, 1LL << 40, 0, 0})})},
  };
}

}  // namespace

std::vector<HostileModel> hostile_bombs() {
  std::vector<OnnxMessage> gathers{
      onnx_node("Cast", {"x"}, {"g0"}, {onnx_int_attribute("to", 7)})};
  for (int i = 0; i < 40; ++i) {
    const std::string from = "g" + std::to_string(i);
    gathers.push_back(onnx_node("Gather", {from, from}, {"g" + std::to_string(i + 1)}));
  }
  gathers.push_back(relu("x", "y"));
  const OnnxMessage to_output = onnx_node("ReduceSum", {"b"}, {"y"});
  const OnnxMessage go = onnx_node("Identity", {"go"}, {"g"});
  const auto loop = [&](std::int64_t trips, const OnnxMessage& body) {
    return simple_model({onnx_node("Loop", {"m", "", "x"}, {"z", "b"},
                                   {onnx_graph_attribute("body", body)}),
                         to_output},
                        {integer("m", trips)});
  };
  std::vector<HostileModel> models = large_outputs();
  for (HostileModel& model : std::vector<HostileModel>{
      {"rank-doubling", "cost-rank", simple_model(gathers)},
      {"one-hot", "cost-activations",
       simple_model({onnx_node("Cast", {"x"}, {"q"}, {onnx_int_attribute("to", 7)}),
                     onnx_node("OneHot", {"q", "d", "v"}, {"b"}), to_output},
                    {integer("d", 1LL << 40), int64_tensor("v", {0, 1})})},
      {"random", "cost-activations",
       simple_model({onnx_node("RandomNormal", {}, {"b"},
                               {ints_attribute("shape", {1 << 20, 1 << 20})}),
                     to_output})},
      {"concat-doubling", "cost-activations", doublings(40)},
      {"concat-past-64-bits", "cost-activations",
       simple_model({onnx_node("Pad", {"x", "n"}, {"p"}),
                     onnx_node("Concat", {"p", "p"}, {"b"}, {onnx_int_attribute("axis", 1)}),
                     to_output},
                    {int64_tensor("n", {0, INT64_MAX, 0, INT64_MAX})})},
      {"loop-of-many", "cost-activations",
       loop(1LL << 40, body_of_loop({onnx_node("Relu", {"s"}, {"r"}),
                                     onnx_node("Relu", {"s"}, {"q"}), go},
                                    {onnx_value("g", OnnxType::boolean, {}),
                                     onnx_value("r", OnnxType::f32, {}),
                                     onnx_value("q", OnnxType::f32, {})}))},
      {"loops-in-loops", "cost-multiply-adds", nested_loops(6, 1000)},
      {"matrix-product", "cost-multiply-adds",
       simple_model({onnx_node("ConstantOfShape", {"n"}, {"b"}),
                     onnx_node("Expand", {"x", "n"}, {"l"}),
                     onnx_node("Transpose", {"l"}, {"r"}), onnx_node("MatMul", {"l", "r"}, {"p"}),
                     onnx_node("ReduceSum", {"p"}, {"y"})},
                    {int64_tensor("n", {40'000, 40'000})})},
  }) {
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace cloister
