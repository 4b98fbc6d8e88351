#include "serving/trial.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "serving/packing_judgement.h"

namespace cloister {
namespace {

constexpr std::uint64_t kTrialInputBytesMax = 1ULL << 30;
constexpr std::uint64_t kTrialBytesBeside = 64ULL << 20;  // of a session, beside its weights
// What an open extent is taken to be where packed weights are judged: products with so many rows
// profit from them most.
constexpr std::uint64_t kJudgedExtent = 8;

/// Has what a model takes counted for as long as this lives.
class Counted {
 public:
  Counted(MemoryHold& memory, LoadedModel& model, std::uint64_t beside)
      : memory_(memory), model_(model) {
    memory_.add(model_, beside);
  }
  ~Counted() { memory_.remove(model_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  MemoryHold& memory_;
  LoadedModel& model_;
};

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

/// Whether the form that `unpacked` is, which runs on `zeros`, runs better with packed weights.
Result<bool> should_pack(const TrialParts& parts, const OpenedModel& opened, MemoryHold& memory,
                         LoadedModel& unpacked, const std::vector<NamedTensorView>& zeros) {
  const auto packed = parts.engine.load(engine_model(opened, true));
  if (!packed.ok()) return packed.error();
  const Counted counted(memory, *packed.value(), 0);
  const PackingPair pair{unpacked, *packed.value(), opened.bundle.weights_bytes};
  const Signature& signature = opened.bundle.signature;
  if (has_open_extent(signature)) {
    std::vector<PrivateMemory> storage;
    const auto larger = zero_inputs(signature, kJudgedExtent, storage);
    const auto worth = larger.ok() ? is_worth_packing(pair, larger.value(), parts.clock)
                                   : std::optional<bool>();
    // Not every model bears it, so that what is sure to run comes second.
    if (worth) return *worth;
  }
  // Where a run fails, it stays with what ran before.
  return is_worth_packing(pair, zeros, parts.clock).value_or(false);
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
                                     MemoryHold& memory, StagedVersion& staged) {
  CLOISTER_ASSIGN(const OpenedModel opened, staged.open({parts.engine.optimises_for()}));
  const auto loaded = parts.engine.load(engine_model(opened, !opened.optimised));
  if (!loaded.ok() && loaded.error().code == Code::internal) {
    return Error{Code::refused, "models.trial", loaded.error().detail};
  }
  if (!loaded.ok()) return loaded.error();
  std::vector<Finding> findings;
  if (!settings.run) return findings;
  const Counted counted(memory, *loaded.value(), opened.weights.size());
  std::vector<PrivateMemory> storage;
  const auto inputs = zero_inputs(opened.bundle.signature, 1, storage);
  if (!inputs.ok()) return findings;
  RunControl control(parts.clock.steady() + settings.time_max);
  const auto ran = loaded.value()->run(inputs.value(), {}, control);
  // Others took what it needed: it may be tried again.
  if (!ran.ok() && ran.error().code == Code::unavailable && !memory.exceeded_all()) {
    return ran.error();
  }
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
    const auto worth = should_pack(parts, opened, memory, *loaded.value(), inputs.value());
    staged.set_worth_packing(worth.ok() && worth.value());
  }
  return findings;
}

Result<std::vector<NamedTensorView>> zero_inputs(const Signature& signature,
                                                 std::uint64_t open_extent,
                                                 std::vector<PrivateMemory>& storage) {
  std::vector<NamedTensorView> inputs;
  std::uint64_t total = 0;
  for (const TensorSpec& spec : signature.inputs) {
    NamedTensorView input{spec.name, {spec.type, {}, {}}};
    for (const Extent& extent : spec.extents) {
      input.tensor.shape.push_back(extent.value.value_or(open_extent));
    }
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
