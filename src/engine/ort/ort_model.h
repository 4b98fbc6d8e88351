#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/ort/ort_engine.h"
#include "engine/ort/ort_tensors.h"
#include "engine/ort/run_watchdog.h"

namespace cloister {

/// One session. Weights are read in place.
class OrtModel final : public LoadedModel {
 public:
  /// `watchdog` and what `model` points to must outlive the result.
  /// Fails: `internal` (the runtime refuses it), `corrupt` (a weight outside its segment).
  static Result<std::unique_ptr<LoadedModel>> load(std::shared_ptr<const OrtRuntime> runtime,
                                                   const OrtSettings& settings,
                                                   RunWatchdog& watchdog, const EngineModel& model);

  Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>& inputs,
                                          const std::vector<std::string>& outputs,
                                          RunControl& control) override;
  /// A bound, not a measurement: optimising and prepacking copy every weight at most once.
  std::uint64_t overhead_bytes() const noexcept override { return overhead_bytes_; }

 private:
  OrtModel(std::shared_ptr<const OrtRuntime> runtime, RunWatchdog& watchdog,
           const Signature& signature);
  Status bind_weights(OrtSessionOptions& options, const EngineModel& model);
  /// As `run`; `invalid` is the runtime's own judgement.
  Result<std::unique_ptr<RunOutputs>> run_once(const std::vector<NamedTensorView>& inputs,
                                               const std::vector<std::string>& outputs,
                                               RunControl& control);

  std::shared_ptr<const OrtRuntime> runtime_;
  RunWatchdog& watchdog_;
  const Signature& signature_;
  std::vector<OrtInput> weights_;  // outlive the session, which reads them in place
  OrtOwned<OrtSession> session_;
  std::uint64_t overhead_bytes_ = 0;
  std::atomic<bool> answered_{false};  // some inputs led to an answer
};

}  // namespace cloister
