#include "latency/direct_model.h"

#include <array>
#include <string_view>

#include "base/check.h"
#include "engine/ort/ort_runtime.h"
#include "support/onnx_writer.h"

namespace cloister {
namespace {

constexpr std::int64_t kClasses = 1000;
constexpr std::array<std::int64_t, 4> kImageShape{1, 3, 224, 224};
constexpr int kFloat = 1;

}  // namespace

ByteVector cheap_model() {
  std::string weights(3 * kClasses * sizeof(float), '\0');
  for (std::size_t i = 2; i < weights.size(); i += 4) weights[i] = static_cast<char>(i % 97);
  return onnx_model(OnnxGraph{
      {onnx_node("GlobalAveragePool", {"input"}, {"pooled"}),
       onnx_node("Flatten", {"pooled"}, {"flat"}),
       onnx_node("MatMul", {"flat", "w"}, {"output"})},
      {onnx_tensor("w", OnnxType::f32, {3, kClasses}, weights)},
      {onnx_value("input", OnnxType::f32, {1, 3, 224, 224})},
      {onnx_value("output", OnnxType::f32, {1, kClasses})}});
}

struct DirectModel::Parts {
  std::shared_ptr<const OrtRuntime> runtime;
  OrtSession* session = nullptr;
  OrtValue* result = nullptr;

  void settle(OrtOutcome outcome) const {
    CLOISTER_CHECK(runtime->settle(outcome, "bench.runtime").ok());
  }
};

DirectModel::DirectModel(Bytes model) : parts_(std::make_unique<Parts>()) {
  parts_->runtime = OrtRuntime::open(CLOISTER_RUNTIME_LIBRARY).value();
  const OrtFunctions& functions = parts_->runtime->functions();
  OrtSessionOptions* options = nullptr;
  parts_->settle(functions.create_session_options(&options));
  parts_->settle(functions.set_intra_op_threads(options, 1));
  parts_->settle(functions.set_inter_op_threads(options, 1));
  parts_->settle(functions.create_session_from_array(parts_->runtime->env(), model.data(),
                                                     model.size(), options, &parts_->session));
  functions.release_session_options(options);
}

DirectModel::~DirectModel() {
  const OrtFunctions& functions = parts_->runtime->functions();
  if (parts_->result != nullptr) functions.release_value(parts_->result);
  functions.release_session(parts_->session);
}

std::span<const float> DirectModel::run(std::span<const float> image) {
  const OrtFunctions& functions = parts_->runtime->functions();
  OrtValue* input = nullptr;
  parts_->settle(functions.create_tensor_over(parts_->runtime->memory(), image.data(),
                                              image.size_bytes(), kImageShape.data(),
                                              kImageShape.size(), kFloat, &input));
  const char* const input_name = "input";
  const char* const output_name = "output";
  if (parts_->result != nullptr) functions.release_value(parts_->result);
  parts_->result = nullptr;
  parts_->settle(functions.run(parts_->session, nullptr, &input_name, &input, 1, &output_name, 1,
                               &parts_->result));
  functions.release_value(input);
  void* memory = nullptr;
  parts_->settle(functions.tensor_memory(parts_->result, &memory));
  return {static_cast<const float*>(memory), static_cast<std::size_t>(kClasses)};
}

}  // namespace cloister
