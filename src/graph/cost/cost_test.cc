#include "graph/cost/cost.h"

#include <gtest/gtest.h>

#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"
#include "hostile_models/parts.h"

namespace cloister {
namespace {

ModelCost cost_of(const std::vector<OnnxMessage>& nodes,
                  const std::vector<OnnxMessage>& initializers,
                  const std::vector<std::int64_t>& input) {
  ModelParts parts;
  parts.graph = onnx_graph({nodes,
                            initializers,
                            {onnx_value("x", OnnxType::f32, input)},
                            {onnx_value("y", OnnxType::f32, {1})}});
  const ByteVector upload = model_bytes(parts);
  const auto verdict = GraphAdmission(AdmissionBudget{}).admit(upload);
  const auto* model = std::get_if<ValidatedModel>(&verdict);
  EXPECT_NE(model, nullptr) << describe_admission(verdict);
  return model == nullptr ? ModelCost{} : model->cost();
}

OnnxMessage zeros(std::string_view name, const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return onnx_tensor(name, OnnxType::f32, shape,
                     std::string(4 * static_cast<std::size_t>(count), '\0'));
}

TEST(MeasureCost, DoesNotBoundAnOpenExtent) {
  const ModelCost cost = cost_of({relu("x", "y")}, {}, {-1, 4});
  EXPECT_FALSE(cost.bounded);
  EXPECT_EQ(cost.multiply_adds, 4U);
}

TEST(MeasureCost, DoesNotBoundALoopWhoseIterationsAreData) {
  const OnnxMessage body = onnx_graph(
      {{onnx_node("Relu", {"s"}, {"r"}), onnx_node("Identity", {"go"}, {"g"})},
       {},
       {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
        onnx_value("s", OnnxType::f32, {4})},
       {onnx_value("g", OnnxType::boolean, {}), onnx_value("r", OnnxType::f32, {4})}});
  const ModelCost cost =
      cost_of({onnx_node("Cast", {"x"}, {"m"}, {onnx_int_attribute("to", 7)}),
               onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
              {}, {1});
  EXPECT_FALSE(cost.bounded);
}

TEST(MeasureCost, DoesNotBoundALoopWhoseStateGrows) {
  const OnnxMessage body = onnx_graph(
      {{onnx_node("Concat", {"s", "s"}, {"r"}, {onnx_int_attribute("axis", 0)}),
        onnx_node("Identity", {"go"}, {"g"})},
       {},
       {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
        onnx_value("s", OnnxType::f32, {4})},
       {onnx_value("g", OnnxType::boolean, {}), onnx_value("r", OnnxType::f32, {4})}});
  const ModelCost cost = cost_of(
      {onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
      {onnx_tensor("m", OnnxType::i64, {}, std::string("\7\0\0\0\0\0\0\0", 8))}, {4});
  EXPECT_FALSE(cost.bounded);
}

TEST(MeasureCost, CountsTheProductsOfAMatrixProduct) {
  const ModelCost cost = cost_of({onnx_node("MatMul", {"x", "w"}, {"y"})}, {zeros("w", {8, 5})},
                                 {3, 8});
  EXPECT_TRUE(cost.bounded);
  EXPECT_EQ(cost.multiply_adds, 3U * 8 * 5 + 3 * 5);
  EXPECT_EQ(cost.activation_bytes, 3U * 5 * 4 + 1);
}

TEST(MeasureCost, CountsTheProductsOfAConvolution) {
  const ModelCost cost =
      cost_of({onnx_node("Conv", {"x", "w"}, {"y"},
                         {ints_attribute("strides", {2, 2}),
                          ints_attribute("pads", {1, 1, 1, 1})})},
              {zeros("w", {16, 3, 3, 3})}, {1, 3, 32, 32});
  EXPECT_TRUE(cost.bounded);
  EXPECT_EQ(cost.multiply_adds, 16ULL * 16 * 16 * 27 + 16 * 16 * 16);
}

TEST(MeasureCost, FollowsShapesThatExportersCompute) {
  // x [2,3,4] -> Shape -> Gather 0 -> Unsqueeze -> Concat with -1 -> Reshape: [2,12].
  const ModelCost cost = cost_of(
      {onnx_node("Shape", {"x"}, {"s"}), onnx_node("Gather", {"s", "zero"}, {"b"}),
       onnx_node("Unsqueeze", {"b", "axes"}, {"u"}),
       onnx_node("Concat", {"u", "rest"}, {"t"}, {onnx_int_attribute("axis", 0)}),
       onnx_node("Reshape", {"x", "t"}, {"r"}), onnx_node("MatMul", {"r", "w"}, {"y"})},
      {onnx_tensor("zero", OnnxType::i64, {}, std::string(8, '\0')), int64_tensor("axes", {0}),
       int64_tensor("rest", {-1}), zeros("w", {12, 7})},
      {2, 3, 4});
  EXPECT_TRUE(cost.bounded);
  EXPECT_GE(cost.multiply_adds, 2U * 12 * 7);
  EXPECT_LT(cost.multiply_adds, 2U * 12 * 7 + 100);
}

TEST(MeasureCost, MultipliesALoopByItsIterations) {
  const OnnxMessage body = onnx_graph(
      {{onnx_node("MatMul", {"s", "w"}, {"r"}), onnx_node("Identity", {"go"}, {"g"})},
       {},
       {onnx_value("i", OnnxType::i64, {}), onnx_value("go", OnnxType::boolean, {}),
        onnx_value("s", OnnxType::f32, {1, 4})},
       {onnx_value("g", OnnxType::boolean, {}), onnx_value("r", OnnxType::f32, {1, 4})}});
  const ModelCost cost = cost_of(
      {onnx_node("Loop", {"m", "", "x"}, {"y"}, {onnx_graph_attribute("body", body)})},
      {onnx_tensor("m", OnnxType::i64, {}, std::string("\144\0\0\0\0\0\0\0", 8)),
       zeros("w", {4, 4})},
      {1, 4});
  EXPECT_TRUE(cost.bounded);
  EXPECT_GE(cost.multiply_adds, 100U * 16);
  EXPECT_LT(cost.multiply_adds, 100U * 16 + 1000);
}

}  // namespace
}  // namespace cloister
