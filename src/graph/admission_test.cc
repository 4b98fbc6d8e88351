#include "graph/admission.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <variant>

#include "graph/describe.h"
#include "graph/limits.h"
#include "hostile_models/hostile_models.h"
#include "hostile_models/parts.h"

namespace cloister {
namespace {

const GraphAdmission kAdmission{AdmissionBudget{}};

ByteVector legal(const std::string& name) {
  for (HostileModel& model : legal_models()) {
    if (model.name == name) return std::move(model.bytes);
  }
  ADD_FAILURE() << "no model " << name;
  return {};
}

ValidatedModel admitted(const ByteVector& upload) {
  AdmissionVerdict verdict = kAdmission.admit(upload);
  EXPECT_TRUE(std::holds_alternative<ValidatedModel>(verdict)) << describe_admission(verdict);
  return std::get<ValidatedModel>(std::move(verdict));
}

bool lies_in(Bytes part, const ByteVector& whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

bool holds(const ByteVector& bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), bytes_of(text).begin(), bytes_of(text).end()) !=
         bytes.end();
}

TEST(Admission, RefusesBeforeReadingWhatIsLargerThanTheBudget) {
  AdmissionBudget budget;
  budget.model_bytes_max = 10;
  const ByteVector upload = legal("relu");
  const auto verdict = GraphAdmission(budget).admit(upload);
  EXPECT_EQ(std::get<std::vector<Finding>>(verdict).at(0).rule, "limit-model-size");
}

TEST(Admission, HoldsModelsToTheBudgetItWasGiven) {
  AdmissionBudget budget;
  budget.activation_bytes_max = 8;
  const ByteVector upload = legal("relu");
  const auto verdict = GraphAdmission(budget).admit(upload);
  EXPECT_EQ(std::get<std::vector<Finding>>(verdict).at(0).rule, "cost-activations");
}

TEST(Admission, ListsAllFindingsUpToItsLimit) {
  std::vector<OnnxMessage> nodes;
  for (int i = 0; i < 100; ++i) {
    nodes.push_back(onnx_node("Shell", {"gone"}, {"n" + std::to_string(i)}));
  }
  nodes.push_back(relu("x", "y"));
  const ByteVector upload = simple_model(nodes);
  const auto verdict = kAdmission.admit(upload);
  const auto& findings = std::get<std::vector<Finding>>(verdict);
  ASSERT_EQ(findings.size(), kFindingsMax + 1);
  EXPECT_EQ(findings.front().rule, "operator-unknown");
  EXPECT_EQ(findings.front().where, "graph.node[0] \"Shell\"");
  EXPECT_EQ(findings.back().rule, "more");
  EXPECT_EQ(findings.back().remedy, "136 more findings are not listed");
}

TEST(Admission, QuotesNamesWithoutWhatATerminalWouldObey) {
  const std::string name = "\x1b[2J\"\\" + std::string(200, 'n');
  const ByteVector upload = simple_model({onnx_node("Shell", {"x"}, {"y"}).text(3, name)});
  const auto verdict = kAdmission.admit(upload);
  const std::string& where = std::get<std::vector<Finding>>(verdict).at(0).where;
  EXPECT_EQ(where.find('\x1b'), std::string::npos);
  EXPECT_NE(where.find("\\x1b[2J\\x22\\x5c"), std::string::npos) << where;
  EXPECT_LT(where.size(), 2 * kFindingQuoteMax);
}

TEST(Admission, EndsOnEveryFlippedBitOfALegalModel) {
  for (const HostileModel& model : legal_models()) {
    if (model.bytes.size() > 600) continue;
    for (std::size_t bit = 0; bit < 8 * model.bytes.size(); ++bit) {
      ByteVector damaged = model.bytes;
      damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      EXPECT_FALSE(admission_json(kAdmission.admit(damaged)).empty());
    }
  }
}

TEST(Admission, LeavesRawWeightsWhereTheyAre) {
  for (const char* name : {"weight", "weight-as-packed-floats", "weight-as-constant"}) {
    const ByteVector upload = legal(name);
    const ValidatedModel model = admitted(upload);
    ASSERT_EQ(model.bundle().weights.size(), 1U) << name;
    const WeightEntry& entry = model.bundle().weights[0];
    EXPECT_EQ(entry.name, "t");
    EXPECT_EQ(entry.type, DType::f32);
    EXPECT_EQ(entry.bytes, 1200U);
    EXPECT_EQ(entry.offset % kWeightAlignment, 0U);
    EXPECT_TRUE(lies_in(model.weights()[0].source, upload)) << name;
    EXPECT_LT(model.bundle().graph.size(), 400U) << name;
    EXPECT_EQ(model.cost().parameters, 300U);
  }
}

TEST(Admission, ConvertsWeightsThatAreListsOfVarints) {
  const ByteVector upload = legal("weight-as-integers");
  const ValidatedModel first = admitted(upload);
  ASSERT_EQ(first.weights().size(), 1U);
  const std::byte* place = first.weights()[0].source.data();
  EXPECT_FALSE(lies_in(first.weights()[0].source, upload));
  ASSERT_EQ(first.weights()[0].source.size(), 300 * sizeof(std::int64_t));
  std::int64_t value = 0;
  std::memcpy(&value, place, sizeof value);
  EXPECT_EQ(value, -2);
  std::memcpy(&value, place + 299 * sizeof value, sizeof value);
  EXPECT_EQ(value, 297);
}

TEST(Admission, KeepsConvertedWeightsWhenTheModelMoves) {
  const ByteVector upload = legal("weight-as-integers");
  ValidatedModel first = admitted(upload);
  const std::byte* place = first.weights()[0].source.data();
  const ValidatedModel second = std::move(first);
  EXPECT_EQ(second.weights()[0].source.data(), place);
  EXPECT_EQ(second.weights()[0].source[0], std::byte{0xfe});
}

TEST(Admission, CountsDefaultsAsOptionalInputsOnlyWhereTheyCanBeReplaced) {
  const ByteVector newer = legal("weight-also-input");
  EXPECT_EQ(admitted(newer).bundle().signature.optional_inputs.size(), 1U);
  const ByteVector older = legal("weight-also-input-in-ir-3");
  const ValidatedModel model = admitted(older);
  EXPECT_TRUE(model.bundle().signature.optional_inputs.empty());
  EXPECT_EQ(model.bundle().signature.inputs.size(), 1U);
}

TEST(Admission, GivesTheScoresOfAZipMapAsATensor) {
  const ByteVector upload = legal("zip-map");
  const ValidatedModel model = admitted(upload);
  const TensorSpec& output = model.bundle().signature.outputs.at(0);
  EXPECT_EQ(output.name, "y");
  EXPECT_EQ(output.type, DType::f32);
  ASSERT_EQ(output.extents.size(), 2U);
  EXPECT_EQ(output.extents[1].value, 4U);
  EXPECT_FALSE(holds(model.bundle().graph, "ZipMap"));
}

TEST(Admission, DropsWhatTheModelDoesNotNeed) {
  const ByteVector upload = legal("documented");
  const ValidatedModel model = admitted(upload);
  for (const char* text : {"documentation", "exporter", "more", "key", "future"}) {
    EXPECT_FALSE(holds(model.bundle().graph, text)) << text;
  }
  const ByteVector plain = legal("relu");
  EXPECT_EQ(model.bundle().graph, admitted(plain).bundle().graph);
}

TEST(Admission, PutsNodesInAnOrderInWhichTheyCanRun) {
  const ByteVector upload = legal("unsorted");
  const ValidatedModel model = admitted(upload);
  const ByteVector sorted = simple_model({relu("x", "a"), relu("a", "y")});
  EXPECT_EQ(model.bundle().graph, admitted(sorted).bundle().graph);
}

TEST(Admission, TellsSignatureWithSymbolsAndOpenExtents) {
  ModelParts parts;
  parts.graph = onnx_graph({{relu("x", "y")},
                            {},
                            {onnx_value("x", OnnxType::f64, {-1, 3})},
                            {OnnxMessage().text(1, "y").message(
                                2, OnnxMessage().message(1, OnnxMessage().number(1, 11)))}});
  const ByteVector upload = model_bytes(parts);
  const Signature signature = admitted(upload).bundle().signature;
  const TensorSpec input{"x", DType::f64, true, {{std::nullopt, "batch"}, {3, ""}}};
  EXPECT_EQ(signature.inputs.at(0), input);
  EXPECT_FALSE(signature.outputs.at(0).rank_known);
}

TEST(Admission, ReadsItsOwnEncodingAsTheSameModel) {
  for (const HostileModel& model : legal_models()) {
    const ValidatedModel once = admitted(model.bytes);
    if (!once.weights().empty()) continue;
    const ByteVector& graph = once.bundle().graph;
    const ValidatedModel twice = admitted(graph);
    EXPECT_EQ(twice.bundle().graph, graph) << model.name;
    EXPECT_EQ(twice.bundle().signature, once.bundle().signature) << model.name;
  }
}

RC_GTEST_PROP(Admission, MakesTheSameOfWhatItMadeItself, ()) {
  std::vector<OnnxMessage> nodes;
  std::vector<OnnxMessage> initializers;
  std::string last = "x";
  const auto steps = *rc::gen::inRange(1, 20);
  for (int i = 0; i < steps; ++i) {
    const std::string next = i + 1 == steps ? "y" : "n" + std::to_string(i);
    const auto kind = *rc::gen::inRange(0, 4);
    if (kind == 0) {
      nodes.push_back(relu(last, next));
    } else if (kind == 1) {
      const std::string weight = "w" + std::to_string(i);
      initializers.push_back(small_tensor(weight));
      nodes.push_back(onnx_node("Add", {last, weight}, {next}));
    } else if (kind == 2) {
      nodes.push_back(onnx_node("Flatten", {last}, {next},
                                {onnx_int_attribute("axis", *rc::gen::inRange(-2, 3))}));
    } else {
      nodes.push_back(onnx_node("Transpose", {last}, {next}, {ints_attribute("perm", {0, 1})}));
    }
    last = next;
  }
  const auto shift = *rc::gen::inRange(0, steps);
  std::rotate(nodes.begin(), nodes.begin() + shift, nodes.end());
  const ByteVector upload = simple_model(nodes, initializers);
  const auto verdict = kAdmission.admit(upload);
  const auto* once = std::get_if<ValidatedModel>(&verdict);
  RC_ASSERT(once != nullptr);
  const auto again = kAdmission.admit(once->bundle().graph);
  const auto* twice = std::get_if<ValidatedModel>(&again);
  RC_ASSERT(twice != nullptr);
  RC_ASSERT(twice->bundle().graph == once->bundle().graph);
  RC_ASSERT(twice->bundle().signature == once->bundle().signature);
}

TEST(DescribeAdmission, ShowsInputsOutputsAndOperatorsOrEveryFinding) {
  const ByteVector upload = legal("weight");
  const std::string good = describe_admission(kAdmission.admit(upload));
  EXPECT_NE(good.find("input  x: float32 [1,300]"), std::string::npos) << good;
  EXPECT_NE(good.find("operators Add x1"), std::string::npos) << good;
  const ByteVector text = copy_of(bytes_of("no model"));
  const std::string bad = describe_admission(kAdmission.admit(text));
  EXPECT_TRUE(bad.starts_with("refused: 1 finding\nwire-")) << bad;
}

}  // namespace
}  // namespace cloister
