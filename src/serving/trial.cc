#include "serving/trial.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "serving/packing_judgement.h"

namespace cloister {
namespace {

constexpr std::uint64_t kTrialInputBytesMax = 1ULL << 30;
constexpr std::uint64_t kTrialBytesBeside = 64ULL << 20;  // of a session, beside its weights

EngineModel engine_model(const OpenedModel& opened, bool prepack) {
  EngineModel model;
  model.bundle = &opened.bundle;
  model.weights = opened.weights.bytes();
  model.weights_file = opened.weights.file();
  model.form = opened.optimised ? GraphForm::optimised : GraphForm::canonical;
  model.prepack = prepack;
  return model;
}

bool has_open_extent(const Signature& signature) {
  return std::any_of(signature.inputs.begin(), signature.inputs.end(), [](const auto& input) {
    return !input.rank_known ||
           std::any_of(input.extents.begin(), input.extents.end(),
                       [](const Extent& extent) { return !extent.value.has_value(); });
  });
}

/// Whether the form that `unpacked` is would run better with packed weights. Where no run can tell,
/// as inputs of other sizes may take longer, packing is taken to pay.
bool should_pack(const TrialParts& parts, const TrialSettings& settings, const OpenedModel& opened,
                 LoadedModel& unpacked, const std::vector<NamedTensorView>& inputs) {
  if (has_open_extent(opened.bundle.signature)) return true;
  const auto packed = parts.engine.load(engine_model(opened, true));
  if (!packed.ok()) return false;
  return is_worth_packing({unpacked, *packed.value(), opened.bundle.weights_bytes}, inputs,
                          parts.clock, settings.time_max);
}

}  // namespace

std::uint64_t trial_bytes(const ModelCost& cost) noexcept {
  return 3 * cost.weights_bytes + kTrialBytesBeside;
}

Result<bool> add_optimised_form(const TrialParts& parts, StagedVersion& staged) {
  const std::string fits = parts.engine.optimises_for();
  if (fits.empty()) return false;
  CLOISTER_ASSIGN(OpenedModel opened, staged.open());
  const auto optimised = parts.engine.optimise(engine_model(opened, true));
  opened.weights = PrivateMemory();
  if (!optimised.ok()) return false;
  const AdmissionVerdict verdict =
      parts.admission.admit_optimised(optimised.value().bytes(), opened.bundle);
  const auto* const model = std::get_if<ValidatedModel>(&verdict);
  if (model == nullptr) {
    parts.events.record(OperationFailed{Code::refused, "trial.optimised"});
    return false;
  }
  CLOISTER_TRY(staged.add({*model, fits}));
  return true;
}

Result<std::vector<Finding>> try_out(const TrialParts& parts, const TrialSettings& settings,
                                     StagedVersion& staged) {
  CLOISTER_ASSIGN(const OpenedModel opened, staged.open({parts.engine.optimises_for()}));
  const auto loaded = parts.engine.load(engine_model(opened, !opened.optimised));
  if (!loaded.ok() && loaded.error().code == Code::internal) {
    return Error{Code::refused, "models.trial", loaded.error().detail};
  }
  if (!loaded.ok()) return loaded.error();
  std::vector<Finding> findings;
  if (!settings.run) return findings;
  std::vector<PrivateMemory> storage;
  const auto inputs = zero_inputs(opened.bundle.signature, storage);
  if (!inputs.ok()) return findings;
  RunControl control(parts.clock.steady() + settings.time_max);
  const auto ran = loaded.value()->run(inputs.value(), {}, control);
  // Zeros need not make sense to a model, so a failed run is no reason to refuse it; a run that
  // does not end, or that ends its process, is.
  if (!ran.ok() && ran.error().code == Code::deadline) {
    findings.push_back({"trial-time", "one run on zeros",
                        "it must end within the time allowed at upload"});
  } else if (loaded.value()->deaths() > 0) {
    findings.push_back({"trial-death", "one run on zeros",
                        "it must not end the process that runs it, nor exceed its memory"});
  }
  if (opened.optimised && ran.ok()) {
    staged.set_worth_packing(
        should_pack(parts, settings, opened, *loaded.value(), inputs.value()));
  }
  return findings;
}

Result<std::vector<NamedTensorView>> zero_inputs(const Signature& signature,
                                                 std::vector<PrivateMemory>& storage) {
  std::vector<NamedTensorView> inputs;
  std::uint64_t total = 0;
  for (const TensorSpec& spec : signature.inputs) {
    NamedTensorView input{spec.name, {spec.type, {}, {}}};
    for (const Extent& extent : spec.extents)
      input.tensor.shape.push_back(extent.value.value_or(1));
    CLOISTER_ASSIGN(const std::uint64_t count, element_count(input.tensor.shape));
    // A `bytes` element of length 0 is its four-byte length alone.
    const std::uint64_t each = spec.type == DType::bytes ? 4 : element_bytes(spec.type);
    CLOISTER_ASSIGN(const std::uint64_t size, checked_multiply(count, each));
    total += size;
    if (total > kTrialInputBytesMax) return Error{Code::too_large, "models.zero_inputs"};
    if (size > 0) {
      CLOISTER_ASSIGN(PrivateMemory memory, PrivateMemory::reserve(size));
      input.tensor.data = std::as_const(memory).bytes();
      storage.push_back(std::move(memory));
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace cloister
