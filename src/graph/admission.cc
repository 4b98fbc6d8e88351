#include "graph/admission.h"

#include <algorithm>
#include <string>
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

std::string advice_for(std::string_view rule) {
  if (rule.starts_with("wire-")) {
    return "this is not a well-formed ONNX file: save it again with onnx.save_model";
  }
  if (rule.starts_with("limit-")) return "past a limit of docs/admission.md";
  if (rule == "name-text") return "names must be UTF-8 without NUL";
  return "see docs/admission.md";
}

bool same_tensors(const std::vector<TensorSpec>& ours, const std::vector<TensorSpec>& theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [](const TensorSpec& a, const TensorSpec& b) {
                      return a.name == b.name && a.type == b.type;
                    });
}

}  // namespace

AdmissionVerdict GraphAdmission::admit(Bytes upload) const {
  if (upload.size() > budget_.model_bytes_max) {
    return only("limit-model-size", "model",
                "at most " + std::to_string(budget_.model_bytes_max) + " bytes");
  }
  auto decoded = decode_model(upload);
  if (const auto* fault = std::get_if<WireFault>(&decoded)) {
    return only(fault->rule(), "byte " + std::to_string(fault->offset()),
                advice_for(fault->rule()));
  }
  Model model = std::move(*std::get_if<Model>(&decoded));
  if (!model.has_graph || model.ir_version == 0) {
    return only("not-onnx", "model", "upload an ONNX model: a ModelProto with a graph");
  }
  FindingList findings;
  const OperatorTable table;
  check_header(model, findings);
  check_functions(model, table, findings);
  check_structure(model, table, findings);
  if (findings.empty()) make_canonical(model);
  Signature signature = signature_of(model.graph, findings);
  if (!findings.empty()) return std::move(findings).take();

  ModelCost cost = measure_cost(model, upload.size(), budget_, findings);
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

AdmissionVerdict GraphAdmission::admit_optimised(Bytes optimised,
                                                 const GraphBundle& original) const {
  auto decoded = decode_model(optimised);
  if (const auto* fault = std::get_if<WireFault>(&decoded)) {
    return only(fault->rule(), "byte " + std::to_string(fault->offset()),
                advice_for(fault->rule()));
  }
  Model model = std::move(*std::get_if<Model>(&decoded));
  if (!model.has_graph) return only("not-onnx", "model", "no graph");
  FindingList findings;
  const OperatorTable table(OperatorTable::Contents::with_internal);
  check_header(model, findings);
  check_functions(model, table, findings);
  check_structure(model, table, findings);
  if (findings.empty()) make_canonical(model);
  const Signature signature = signature_of(model.graph, findings);
  if (!findings.empty()) return std::move(findings).take();
  if (!same_tensors(original.signature.inputs, signature.inputs) ||
      !same_tensors(original.signature.optional_inputs, signature.optional_inputs) ||
      !same_tensors(original.signature.outputs, signature.outputs)) {
    return only("optimised-signature", "graph", "the optimiser changed inputs or outputs");
  }
  CanonicalWeights weights = place_weights(model, findings);
  if (!findings.empty()) return std::move(findings).take();
  auto graph = encode_model(model, weights.places);
  if (!graph) return only("limit-graph-size", "graph", "the optimiser made it too large");
  ModelCost cost;
  cost.weights_bytes = weights.bytes;
  // What callers were told of the model stays as it is.
  GraphBundle bundle{std::move(*graph), std::move(weights.entries), weights.bytes,
                     original.signature};
  return ValidatedModel(std::move(bundle), std::move(weights.pieces),
                        std::move(weights.converted), cost);
}

}  // namespace cloister
