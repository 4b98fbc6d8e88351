#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"
#include "graph/limits.h"
#include "hostile_models/hostile_models.h"
#include "hostile_models/parts.h"

namespace cloister {
namespace {

const GraphAdmission kAdmission{AdmissionBudget{}};

/// x: float32 [1,4] to y: float32 [1,4], and room for an optimised form of any size.
GraphBundle original() {
  const ByteVector upload = simple_model({relu("x", "y")});
  const AdmissionVerdict verdict = kAdmission.admit(upload);
  GraphBundle bundle = std::get<ValidatedModel>(verdict).bundle();
  bundle.weights_bytes = 1ULL << 30;
  return bundle;
}

std::string rule_of(const AdmissionVerdict& verdict) {
  const auto* findings = std::get_if<std::vector<Finding>>(&verdict);
  return findings == nullptr ? "accepted" : findings->at(0).rule;
}

ByteVector with_signature(const OnnxMessage& input, const OnnxMessage& output) {
  ModelParts parts;
  parts.graph = onnx_graph({{relu("x", "y")}, {}, {input}, {output}});
  return model_bytes(parts);
}

TEST(AdmitOptimised, RefusesEveryHostileModel) {
  const GraphBundle bundle = original();
  for (const HostileModel& model : hostile_models()) {
    // The one operator that is hostile in an upload alone.
    if (model.name == "runtime-internal-domain") continue;
    EXPECT_NE(rule_of(kAdmission.admit_optimised(model.bytes, bundle)), "accepted") << model.name;
  }
}

TEST(AdmitOptimised, RefusesTheMemoryMarkerForItself) {
  const GraphBundle bundle = original();
  std::size_t markers = 0;
  for (const HostileModel& model : hostile_models()) {
    if (!model.name.starts_with("memory-marker-")) continue;
    ++markers;
    EXPECT_EQ(rule_of(kAdmission.admit_optimised(model.bytes, bundle)), model.rule) << model.name;
  }
  EXPECT_GE(markers, 10U);
}

TEST(AdmitOptimised, RefusesOtherInputsAndOutputs) {
  const GraphBundle bundle = original();
  const OnnxMessage x = onnx_value("x", OnnxType::f32, {1, 4});
  const OnnxMessage y = onnx_value("y", OnnxType::f32, {1, 4});
  ModelParts more;
  more.graph = onnx_graph({{relu("x", "y"), relu("x", "z")},
                           {},
                           {x},
                           {y, onnx_value("z", OnnxType::f32, {1, 4})}});
  ModelParts renamed;
  renamed.graph = onnx_graph(
      {{relu("x", "z")}, {}, {x}, {onnx_value("z", OnnxType::f32, {1, 4})}});
  ModelParts none;
  const OnnxMessage shape = ints_attribute("shape", {1, 4});
  none.graph = onnx_graph({{onnx_node("RandomNormal", {}, {"y"}, {shape})}, {}, {}, {y}});
  for (const ByteVector& model :
       {model_bytes(more), model_bytes(renamed), model_bytes(none),
        with_signature(onnx_value("x", OnnxType::f64, {1, 4}), y),
        with_signature(x, onnx_value("y", OnnxType::f64, {1, 4}))}) {
    EXPECT_EQ(rule_of(kAdmission.admit_optimised(model, bundle)), "optimised-signature");
  }
}

TEST(AdmitOptimised, RefusesMoreThanTwiceTheOriginal) {
  GraphBundle bundle = original();
  bundle.weights_bytes = 0;
  const auto extent = static_cast<std::int64_t>(kOptimisedSlackBytes / 4 + bundle.graph.size());
  const std::string values(4 * static_cast<std::size_t>(extent), '\0');
  const ByteVector large =
      simple_model({relu("x", "y")}, {onnx_tensor("w", OnnxType::f32, {extent}, values)});
  EXPECT_EQ(rule_of(kAdmission.admit_optimised(large, bundle)), "optimised-size");
  bundle.weights_bytes = large.size() / 2;
  EXPECT_EQ(rule_of(kAdmission.admit_optimised(large, bundle)), "accepted");
}

TEST(AdmitOptimised, RefusesMoreWorkThanTheBudget) {
  const ByteVector bomb =
      simple_model({onnx_node("ConstantOfShape", {"n"}, {"b"}),
                    onnx_node("ReduceSum", {"b"}, {"y"})},
                   {int64_tensor("n", {1LL << 20, 1LL << 20})});
  EXPECT_EQ(rule_of(kAdmission.admit_optimised(bomb, original())), "cost-activations");
}

TEST(AdmitOptimised, AcceptsTheOperatorsThatTheOptimiserMakes) {
  ModelParts parts;
  parts.imports = {{"", 17}, {"com.microsoft.nchwc", 1}};
  parts.graph = simple_graph(
      {node_of("com.microsoft.nchwc", "ReorderInput", {"x"}, {"b"}),
       node_of("com.microsoft.nchwc", "ReorderOutput", {"b"}, {"y"},
               {onnx_int_attribute("channels", 4)})});
  const ByteVector optimised = model_bytes(parts);
  EXPECT_EQ(rule_of(kAdmission.admit_optimised(optimised, original())), "accepted");
  EXPECT_EQ(rule_of(kAdmission.admit(optimised)), "operator-unknown");
}

TEST(AdmitOptimised, KeepsWhatCallersWereTold) {
  const GraphBundle bundle = original();
  const ByteVector optimised = with_signature(onnx_value("x", OnnxType::f32, {-1, 4}),
                                              onnx_value("y", OnnxType::f32, {-1, 4}));
  const AdmissionVerdict verdict = kAdmission.admit_optimised(optimised, bundle);
  ASSERT_EQ(rule_of(verdict), "accepted");
  EXPECT_EQ(std::get<ValidatedModel>(verdict).bundle().signature, bundle.signature);
}

}  // namespace
}  // namespace cloister
