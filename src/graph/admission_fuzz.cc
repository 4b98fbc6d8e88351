// Whatever the bytes are, admission ends; what it accepts is written in a form that reads back as
// the same model, is accepted again, and has its weights inside the upload or in memory of its own.

#include <variant>

#include "base/check.h"
#include "graph/admission.h"
#include "graph/describe.h"
#include "support/accepted_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  static const GraphAdmission admission(AdmissionBudget{});
  const auto verdict = admission.admit(std::as_bytes(std::span(data, size)));
  CLOISTER_CHECK(!admission_json(verdict).empty() && !describe_admission(verdict).empty());
  const auto* model = std::get_if<ValidatedModel>(&verdict);
  if (model == nullptr) return 0;
  check_accepted(*model);
  if (!model->weights().empty()) return 0;
  const auto again = admission.admit(model->bundle().graph);
  const auto* twice = std::get_if<ValidatedModel>(&again);
  CLOISTER_CHECK(twice != nullptr && twice->bundle().graph == model->bundle().graph);
  CLOISTER_CHECK(twice->bundle().signature == model->bundle().signature);
  return 0;
}
