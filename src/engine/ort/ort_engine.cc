#include "engine/ort/ort_engine.h"

#include <utility>

#include "engine/ort/ort_model.h"

namespace cloister {
namespace {

class OrtEngine final : public Engine {
 public:
  OrtEngine(std::shared_ptr<const OrtRuntime> runtime, OrtSettings settings, const Clock& clock)
      : runtime_(std::move(runtime)), settings_(std::move(settings)), watchdog_(clock) {}

  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    return OrtModel::load(runtime_, settings_, watchdog_, model);
  }

 private:
  std::shared_ptr<const OrtRuntime> runtime_;
  OrtSettings settings_;
  RunWatchdog watchdog_;
};

constexpr int kThreadsMax = 64;

}  // namespace

Result<std::unique_ptr<Engine>> make_ort_engine(const OrtSettings& settings, const Clock& clock) {
  if (settings.intra_op_threads < 1 || settings.intra_op_threads > kThreadsMax ||
      settings.inter_op_threads < 1 || settings.inter_op_threads > kThreadsMax) {
    return Error{Code::invalid, "ort.threads"};
  }
  std::optional<OrtThreads> shared;
  if (settings.threads_beforehand) {
    shared = {settings.intra_op_threads, settings.inter_op_threads};
  }
  CLOISTER_ASSIGN(auto runtime, OrtRuntime::open(settings.library, shared));
  return std::unique_ptr<Engine>(
      std::make_unique<OrtEngine>(std::move(runtime), settings, clock));
}

}  // namespace cloister
