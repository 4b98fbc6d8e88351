#include "support/plain_session.h"

#include <cstring>

#include "base/check.h"
#include "engine/ort/ort_runtime.h"
#include "engine/ort/ort_tensors.h"

namespace cloister {
namespace {

constexpr int kOptimiseByDefault = 99;

const std::shared_ptr<const OrtRuntime>& shared_runtime() {
  static const auto runtime = OrtRuntime::open(CLOISTER_RUNTIME_LIBRARY).value();
  return runtime;
}

}  // namespace

struct PlainSession::Parts {
  const OrtRuntime& runtime = *shared_runtime();
  OrtSession* session = nullptr;
  std::vector<OrtValue*> results;

  void forget() {
    for (OrtValue* result : results) runtime.functions().release_value(result);
    results.clear();
  }
  void settle(OrtOutcome outcome) const {
    CLOISTER_CHECK(runtime.settle(outcome, "bench.runtime").ok());
  }
};

PlainSession::PlainSession(const std::string& path, bool optimise)
    : parts_(std::make_unique<Parts>()) {
  const OrtFunctions& functions = parts_->runtime.functions();
  OrtSessionOptions* options = nullptr;
  parts_->settle(functions.create_session_options(&options));
  parts_->settle(functions.set_intra_op_threads(options, 1));
  parts_->settle(functions.set_inter_op_threads(options, 1));
  parts_->settle(functions.set_optimisation_level(options, optimise ? kOptimiseByDefault : 0));
  if (!optimise) {
    parts_->settle(functions.set_session_entry(options, "session.disable_prepacking", "1"));
  }
  parts_->settle(functions.create_session(parts_->runtime.env(), path.c_str(), options,
                                          &parts_->session));
  functions.release_session_options(options);
}

PlainSession::~PlainSession() {
  parts_->forget();
  parts_->runtime.functions().release_session(parts_->session);
}

void PlainSession::compute(const std::vector<NamedTensorView>& inputs,
                           const std::vector<std::string>& outputs) {
  std::vector<OrtInput> values;
  std::vector<const OrtValue*> pointers;
  std::vector<const char*> names;
  for (const NamedTensorView& input : inputs) {
    values.push_back(ort_input(parts_->runtime, input.tensor).value());
    pointers.push_back(values.back().value.get());
    names.push_back(input.name.c_str());
  }
  std::vector<const char*> output_names;
  for (const std::string& output : outputs) output_names.push_back(output.c_str());
  parts_->forget();
  parts_->results.assign(outputs.size(), nullptr);
  parts_->settle(parts_->runtime.functions().run(
      parts_->session, nullptr, names.data(), pointers.data(), pointers.size(),
      output_names.data(), output_names.size(), parts_->results.data()));
}

Bytes PlainSession::values(std::size_t index) const {
  return ort_output(parts_->runtime, *parts_->results.at(index)).value().tensor.data;
}

std::vector<float> PlainSession::run(const std::vector<NamedTensorView>& inputs,
                                     const std::string& output_name) {
  compute(inputs, {output_name});
  const Bytes data = values(0);
  std::vector<float> result(data.size() / sizeof(float));
  std::memcpy(result.data(), data.data(), data.size());
  parts_->forget();
  return result;
}

}  // namespace cloister
