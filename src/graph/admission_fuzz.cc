// Whatever the bytes are, admission ends; what it accepts is written in a form that reads back as
// the same model, and every weight lies inside the upload or in memory of its own.

#include <variant>

#include "base/check.h"
#include "graph/admission.h"
#include "graph/describe.h"
#include "graph/onnx/decode.h"
#include "graph/onnx/encode.h"

namespace cloister {
namespace {

void check_accepted(const ValidatedModel& model) {
  const GraphBundle& bundle = model.bundle();
  auto decoded = decode_model(bundle.graph);
  const auto* again = std::get_if<Model>(&decoded);
  CLOISTER_CHECK(again != nullptr);
  const auto written = encode_model(*again, {});
  CLOISTER_CHECK(written && *written == bundle.graph);
  CLOISTER_CHECK(model.weights().size() == bundle.weights.size());
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < bundle.weights.size(); ++i) {
    const WeightEntry& entry = bundle.weights[i];
    CLOISTER_CHECK(entry.offset % kWeightAlignment == 0 && entry.offset >= end);
    CLOISTER_CHECK(model.weights()[i].source.size() == entry.bytes);
    end = entry.offset + entry.bytes;
  }
  CLOISTER_CHECK(end == bundle.weights_bytes);
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const auto verdict =
      GraphAdmission(AdmissionBudget{}).admit(std::as_bytes(std::span(data, size)));
  if (const auto* model = std::get_if<ValidatedModel>(&verdict)) check_accepted(*model);
  CLOISTER_CHECK(!admission_json(verdict).empty() && !describe_admission(verdict).empty());
  return 0;
}
