#include "engine/ort/ort_model.h"

#include <algorithm>
#include <utility>

namespace cloister {
namespace {

class OrtOutputs final : public RunOutputs {
 public:
  explicit OrtOutputs(std::shared_ptr<const OrtRuntime> runtime) : runtime_(std::move(runtime)) {}
  const std::vector<NamedTensorView>& tensors() const noexcept override { return tensors_; }

  Status add(const std::string& name, OrtOwned<OrtValue> value) {
    CLOISTER_ASSIGN(OrtOutput output, ort_output(*runtime_, *value));
    tensors_.push_back({name, std::move(output.tensor)});
    texts_.push_back(std::move(output.text));
    values_.push_back(std::move(value));
    return Done{};
  }

 private:
  std::shared_ptr<const OrtRuntime> runtime_;
  std::vector<OrtOwned<OrtValue>> values_;
  std::vector<ByteVector> texts_;
  std::vector<NamedTensorView> tensors_;
};

/// Inputs of the same names, types and shapes that are all zero, or empty texts, in `memory`.
std::vector<NamedTensorView> zeros_like(const std::vector<NamedTensorView>& inputs,
                                        std::vector<ByteVector>& memory) {
  std::vector<NamedTensorView> zeros = inputs;
  for (NamedTensorView& each : zeros) {
    std::size_t size = each.tensor.data.size();
    if (each.tensor.type == DType::bytes) {
      const auto count = element_count(each.tensor.shape);
      size = count.ok() ? 4 * static_cast<std::size_t>(count.value()) : 0;  // lengths alone
    }
    memory.emplace_back(size);
    each.tensor.data = memory.back();
  }
  return zeros;
}

/// What the runtime writes during a run: null until then, released whatever happens.
class RawOutputs {
 public:
  RawOutputs(const OrtRuntime& runtime, std::size_t count) : runtime_(runtime), values_(count) {}
  ~RawOutputs() {
    for (OrtValue* const value : values_) {
      if (value != nullptr) runtime_.functions().release_value(value);
    }
  }
  RawOutputs(const RawOutputs&) = delete;
  RawOutputs& operator=(const RawOutputs&) = delete;
  OrtValue** data() noexcept { return values_.data(); }
  OrtOwned<OrtValue> take(std::size_t index) noexcept {
    return {std::exchange(values_[index], nullptr), runtime_.functions().release_value};
  }

 private:
  const OrtRuntime& runtime_;
  std::vector<OrtValue*> values_;
};

/// A run's options and the function that ends it: what the watchdog is given.
struct Ending {
  const OrtRuntime* runtime;
  OrtRunOptions* options;
  static void end(void* context) {
    const auto* const ending = static_cast<const Ending*>(context);
    // Where the flag cannot be set the run ends by itself; there is nobody to tell.
    (void)ending->runtime->settle(
        ending->runtime->functions().terminate_run(ending->options), "ort.terminate");
  }
};

Status set_threads(const OrtRuntime& runtime, const OrtSettings& settings,
                   OrtSessionOptions* options) {
  const OrtFunctions& functions = runtime.functions();
  if (settings.threads_beforehand) {
    return runtime.settle(functions.disable_session_threads(options), "ort.shared_threads");
  }
  CLOISTER_TRY(runtime.settle(functions.set_intra_op_threads(options, settings.intra_op_threads),
                              "ort.intra_op_threads"));
  return runtime.settle(functions.set_inter_op_threads(options, settings.inter_op_threads),
                        "ort.inter_op_threads");
}

Status set_options(const OrtRuntime& runtime, const OrtSettings& settings,
                   const EngineModel& model, OrtSessionOptions* options) {
  const OrtFunctions& functions = runtime.functions();
  const int level = model.form == GraphForm::optimised ? kOrtOptimiseNothing : kOrtOptimiseAll;
  CLOISTER_TRY(runtime.settle(functions.set_optimisation_level(options, level), "ort.level"));
  CLOISTER_TRY(runtime.settle(functions.set_execution_mode(options, kOrtExecuteInOrder),
                              "ort.execution_mode"));
  CLOISTER_TRY(set_threads(runtime, settings, options));
  CLOISTER_TRY(runtime.settle(functions.set_session_log_severity(options, kOrtSeverityFatal),
                              "ort.log_severity"));
  CLOISTER_TRY(runtime.settle(functions.set_deterministic(options, true), "ort.deterministic"));
  if (!settings.arena) {
    CLOISTER_TRY(runtime.settle(functions.disable_arena(options), "ort.arena"));
  }
  if (!settings.memory_pattern) {
    CLOISTER_TRY(runtime.settle(functions.disable_memory_pattern(options), "ort.pattern"));
  }
  if (!model.prepack) {
    CLOISTER_TRY(runtime.settle(
        functions.set_session_entry(options, "session.disable_prepacking", "1"), "ort.prepack"));
  }
  if (!model.write_optimised_to.empty()) {
    CLOISTER_TRY(runtime.settle(
        functions.set_optimised_model_path(options, model.write_optimised_to.c_str()),
        "ort.optimised_path"));
  }
  // The folder in which a weight's declared location (kWeightsLocation) exists.
  CLOISTER_TRY(runtime.settle(
      functions.set_session_entry(
          options, "session.model_external_initializers_file_folder_path", "/dev"),
      "ort.weights_folder"));
  // What lives as long as the session must not fragment the memory that runs reuse.
  return runtime.settle(
      functions.set_session_entry(options, "session.use_device_allocator_for_initializers", "1"),
      "ort.initializer_memory");
}

}  // namespace

OrtModel::OrtModel(std::shared_ptr<const OrtRuntime> runtime, RunWatchdog& watchdog,
                   const Signature& signature)
    : runtime_(std::move(runtime)),
      watchdog_(watchdog),
      signature_(signature),
      session_(nullptr, runtime_->functions().release_session) {}

Status OrtModel::bind_weights(OrtSessionOptions& options, const EngineModel& model) {
  const OrtFunctions& functions = runtime_->functions();
  std::vector<const char*> names;
  std::vector<const OrtValue*> values;
  for (const WeightEntry& entry : model.bundle->weights) {
    if (entry.offset > model.weights.size() ||
        entry.bytes > model.weights.size() - entry.offset) {
      return Error{Code::corrupt, "ort.weight_range"};
    }
    const TensorView view{entry.type, entry.shape,
                          model.weights.subspan(entry.offset, entry.bytes)};
    CLOISTER_ASSIGN(OrtInput weight, ort_input(*runtime_, view));
    names.push_back(entry.name.c_str());
    values.push_back(weight.value.get());
    CLOISTER_TRY(runtime_->settle(
        functions.add_initializer(&options, names.back(), values.back()), "ort.weight"));
    weights_.push_back(std::move(weight));
  }
  // An initializer handed over like this is read in place, but only when the session is ready: an
  // optimiser before that sees the graph's reference to it alone, and gets the content this way.
  if (model.form == GraphForm::optimised || names.empty()) return Done{};
  return runtime_->settle(
      functions.add_external_initializers(&options, names.data(), values.data(), names.size()),
      "ort.weights");
}

Result<std::unique_ptr<LoadedModel>> OrtModel::load(std::shared_ptr<const OrtRuntime> runtime,
                                                    const OrtSettings& settings,
                                                    RunWatchdog& watchdog,
                                                    const EngineModel& model) {
  const OrtFunctions& functions = runtime->functions();
  std::unique_ptr<OrtModel> loaded(
      new OrtModel(std::move(runtime), watchdog, model.bundle->signature));
  const OrtRuntime& library = *loaded->runtime_;
  CLOISTER_ASSIGN(const auto options,
                  library.create<OrtSessionOptions>(functions.create_session_options,
                                                    functions.release_session_options,
                                                    "ort.session_options"));
  CLOISTER_TRY(set_options(library, settings, model, options.get()));
  CLOISTER_TRY(loaded->bind_weights(*options, model));
  OrtSession* session = nullptr;
  CLOISTER_TRY(library.settle(
      functions.create_session_from_array(library.env(), model.bundle->graph.data(),
                                          model.bundle->graph.size(), options.get(), &session),
      "ort.create_session"));
  loaded->session_.reset(session);
  const bool copies = model.prepack || model.form == GraphForm::canonical;
  loaded->overhead_bytes_ = copies ? model.weights.size() : 0;
  return std::unique_ptr<LoadedModel>(std::move(loaded));
}

Result<std::unique_ptr<RunOutputs>> OrtModel::run(const std::vector<NamedTensorView>& inputs,
                                                  const std::vector<std::string>& outputs,
                                                  RunControl& control) {
  auto ran = run_once(inputs, outputs, control);
  if (ran.ok()) {
    answered_.store(true, std::memory_order_relaxed);
    return ran;
  }
  if (ran.error().code != Code::invalid || answered_.load(std::memory_order_relaxed)) return ran;
  // A model that fails whatever it is given is at fault itself: zeros of the same shapes tell.
  std::vector<ByteVector> memory;
  if (run_once(zeros_like(inputs, memory), outputs, control).ok()) {
    answered_.store(true, std::memory_order_relaxed);
    return ran;
  }
  return Error{Code::internal, ran.error().where, ran.error().detail};
}

Result<std::unique_ptr<RunOutputs>> OrtModel::run_once(const std::vector<NamedTensorView>& inputs,
                                                       const std::vector<std::string>& outputs,
                                                       RunControl& control) {
  const OrtFunctions& functions = runtime_->functions();
  std::vector<OrtInput> values;
  std::vector<const OrtValue*> value_pointers;
  std::vector<const char*> input_names;
  for (const NamedTensorView& input : inputs) {
    CLOISTER_ASSIGN(OrtInput value, ort_input(*runtime_, input.tensor));
    value_pointers.push_back(value.value.get());
    input_names.push_back(input.name.c_str());
    values.push_back(std::move(value));
  }
  std::vector<const char*> output_names;
  for (const std::string& name : outputs) output_names.push_back(name.c_str());
  if (outputs.empty()) {
    for (const TensorSpec& spec : signature_.outputs) output_names.push_back(spec.name.c_str());
  }
  CLOISTER_ASSIGN(const auto options,
                  runtime_->create<OrtRunOptions>(functions.create_run_options,
                                                  functions.release_run_options,
                                                  "ort.run_options"));
  RawOutputs raw(*runtime_, output_names.size());
  Ending ending{runtime_.get(), options.get()};
  const RunWatchdog::Watch watch(watchdog_, control, Ending::end, &ending);
  Status ran = runtime_->settle(
      functions.run(session_.get(), options.get(), input_names.data(), value_pointers.data(),
                    value_pointers.size(), output_names.data(), output_names.size(), raw.data()),
      "ort.run", Code::invalid);
  const RunWatchdog::Watch::Verdict verdict = watch.verdict();
  if (!ran.ok() && verdict == RunWatchdog::Watch::Verdict::late) {
    return Error{Code::deadline, "ort.run"};
  }
  if (!ran.ok() && verdict == RunWatchdog::Watch::Verdict::cancelled) {
    return Error{Code::unavailable, "ort.run_cancelled"};
  }
  CLOISTER_TRY(std::move(ran));

  auto result = std::make_unique<OrtOutputs>(runtime_);
  for (std::size_t i = 0; i < output_names.size(); ++i) {
    CLOISTER_TRY(result->add(output_names[i], raw.take(i)));
  }
  return std::unique_ptr<RunOutputs>(std::move(result));
}

}  // namespace cloister
