#include "graph/admission.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "graph/canonical.h"
#include "graph/cost/cost.h"
#include "graph/findings.h"
#include "graph/limits.h"
#include "graph/onnx/decode.h"
#include "graph/onnx/encode.h"
#include "graph/rules/operators.h"
#include "graph/rules/rules.h"
#include "graph/rules/signature.h"

namespace cloister {
namespace {

std::vector<Finding> only(const char* rule, std::string where, std::string remedy) {
  return {Finding{rule, std::move(where), std::move(remedy)}};
}

// The limits that end the reading of a file.
constexpr auto kDecodingLimits = std::to_array<std::pair<std::string_view, std::uint64_t>>({
    {"limit-attributes", kAttributesMax},
    {"limit-dimensions", kDimensionsMax},
    {"limit-functions", kFunctionsMax},
    {"limit-graph-nesting", kGraphNestingMax},
    {"limit-graphs", kGraphsMax},
    {"limit-name-length", kNameBytesMax},
    {"limit-node-attributes", kNodeAttributesMax},
    {"limit-nodes", kNodesMax},
    {"limit-opset-imports", kOpsetImportsMax},
    {"limit-string-length", kStringBytesMax},
    {"limit-strings", kStringsMax},
    {"limit-tensors", kTensorsMax},
    {"limit-type-nesting", kTypeNestingMax},
    {"limit-value-names", kValueNamesMax},
});

std::string advice_for(std::string_view rule) {
  if (rule.starts_with("wire-")) {
    return "this is not a well-formed ONNX file: save it again with onnx.save_model";
  }
  for (const auto& [name, max] : kDecodingLimits) {
    if (name == rule) return "past the limit of " + std::to_string(max) + " of docs/admission.md";
  }
  if (rule == "name-text") return "names must be UTF-8 without NUL";
  return "see docs/admission.md";
}

/// A model that passed every check but those of its cost, in canonical form.
struct CheckedModel {
  Model model;
  Signature signature;
};

std::variant<CheckedModel, std::vector<Finding>> checked(Bytes file, const OperatorTable& table) {
  auto decoded = decode_model(file);
  if (const auto* fault = std::get_if<WireFault>(&decoded)) {
    return only(fault->rule(), "byte " + std::to_string(fault->offset()),
                advice_for(fault->rule()));
  }
  CheckedModel result{std::move(*std::get_if<Model>(&decoded)), {}};
  Model& model = result.model;
  if (!model.has_graph || model.ir_version == 0) {
    return only("not-onnx", "model", "upload an ONNX model: a ModelProto with a graph");
  }
  FindingList findings;
  check_header(model, findings);
  check_functions(model, table, findings);
  check_structure(model, table, findings);
  if (findings.empty()) make_canonical(model);
  result.signature = signature_of(model.graph, findings);
  if (!findings.empty()) return std::move(findings).take();
  return result;
}

bool same_tensors(const std::vector<TensorSpec>& ours, const std::vector<TensorSpec>& theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [](const TensorSpec& a, const TensorSpec& b) {
                      return a.name == b.name && a.type == b.type;
                    });
}

bool same_signature(const Signature& ours, const Signature& theirs) {
  return same_tensors(ours.inputs, theirs.inputs) && same_tensors(ours.outputs, theirs.outputs) &&
         same_tensors(ours.optional_inputs, theirs.optional_inputs);
}

/// Twice what the original has: layouts are padded, half precision becomes single.
std::uint64_t optimised_bytes_max(const GraphBundle& original) noexcept {
  return 2 * (original.graph.size() + original.weights_bytes) + kOptimisedSlackBytes;
}

}  // namespace

GraphAdmission::GraphAdmission(AdmissionBudget budget)
    : budget_(budget),
      public_operators_(
          std::make_shared<OperatorTable>(OperatorTable::Contents::public_ones)),
      all_operators_(std::make_shared<OperatorTable>(OperatorTable::Contents::with_internal)) {}

AdmissionVerdict GraphAdmission::admit(Bytes upload) const {
  if (upload.size() > budget_.model_bytes_max) {
    return only("limit-model-size", "model",
                "at most " + std::to_string(budget_.model_bytes_max) + " bytes");
  }
  auto read = checked(upload, *public_operators_);
  if (auto* findings = std::get_if<std::vector<Finding>>(&read)) return std::move(*findings);
  CheckedModel& ours = *std::get_if<CheckedModel>(&read);
  return accept(ours.model, std::move(ours.signature), upload.size());
}

AdmissionVerdict GraphAdmission::admit_optimised(Bytes optimised,
                                                 const GraphBundle& original) const {
  if (optimised.size() > optimised_bytes_max(original)) {
    return only("optimised-size", "model",
                "the optimiser made more than " + std::to_string(optimised_bytes_max(original)) +
                    " bytes of it");
  }
  auto read = checked(optimised, *all_operators_);
  if (auto* findings = std::get_if<std::vector<Finding>>(&read)) return std::move(*findings);
  CheckedModel& theirs = *std::get_if<CheckedModel>(&read);
  if (!same_signature(original.signature, theirs.signature)) {
    return only("optimised-signature", "graph", "the optimiser changed inputs or outputs");
  }
  // What callers were told of the model stays as it is.
  return accept(theirs.model, original.signature, optimised.size());
}

AdmissionVerdict GraphAdmission::accept(const Model& model, Signature signature,
                                        std::uint64_t file_bytes) const {
  FindingList findings;
  ModelCost cost = measure_cost(model, file_bytes, budget_, findings);
  if (!findings.empty()) return std::move(findings).take();
  CanonicalWeights weights = place_weights(model, findings);
  if (!findings.empty()) return std::move(findings).take();
  auto graph = encode_model(model, weights.places);
  if (!graph) {
    return only("limit-graph-size", "graph",
                "without its large initializers the model has more than " +
                    std::to_string(kCanonicalGraphBytesMax) + " bytes");
  }
  cost.weights_bytes = weights.bytes;
  GraphBundle bundle{std::move(*graph), std::move(weights.entries), weights.bytes,
                     std::move(signature)};
  return ValidatedModel(std::move(bundle), std::move(weights.pieces),
                        std::move(weights.converted), cost);
}

}  // namespace cloister
