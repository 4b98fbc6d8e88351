// What a worker gives back as an optimised graph may be anything. Here every input claims to be the
// optimised form of a model with its own inputs and outputs, so that the rest of the checks is
// reached; a model with one output more never has it as its optimised form.

#include <variant>

#include "base/check.h"
#include "graph/admission.h"
#include "graph/onnx/decode.h"
#include "graph/rules/signature.h"
#include "support/accepted_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const Bytes optimised = std::as_bytes(std::span(data, size));
  GraphBundle original;
  original.graph = copy_of(optimised);
  const auto decoded = decode_model(optimised);
  if (const auto* model = std::get_if<Model>(&decoded)) {
    FindingList unused;
    original.signature = signature_of(model->graph, unused);
  }
  static const GraphAdmission admission(AdmissionBudget{});
  const auto verdict = admission.admit_optimised(optimised, original);
  if (const auto* model = std::get_if<ValidatedModel>(&verdict)) {
    check_accepted(*model);
    CLOISTER_CHECK(model->bundle().signature == original.signature);
  }
  original.signature.outputs.push_back(TensorSpec{});
  const auto other = admission.admit_optimised(optimised, original);
  CLOISTER_CHECK(!std::holds_alternative<ValidatedModel>(other));
  return 0;
}
