#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/model.h"
#include "model/weights_arrival.h"
#include "secret/private_memory.h"
#include "tensor/tensor.h"

namespace cloister {

/// Whose work a graph is: the uploader's, re-encoded by us, or this runtime's optimiser's, for this
/// machine's processor, read and re-encoded by us again.
enum class GraphForm { canonical, optimised };

/// What an engine loads. All of it stays the caller's and must outlive the LoadedModel.
struct EngineModel {
  const GraphBundle* bundle = nullptr;
  Bytes weights;  ///< the weights segment, aligned to kWeightAlignment at least
  GraphForm form = GraphForm::canonical;
  /// Whether to bring weights into the layout that matrix products like: a copy, and time.
  bool prepack = true;
  /// The file of fixed size whose beginning `weights` maps, or -1: a worker maps it instead of
  /// getting a copy. Nobody may write to the weights any more.
  int weights_file = -1;
  /// Where the weights still arrive, from their beginning on: how far they are. Null where all of
  /// them are there. Only for an engine that `waits_for_weights`, from memory whose file has the
  /// arrival's word behind the weights (PrivateMemory::tail).
  WeightsArrival* arrival = nullptr;
  /// Where the runtime writes the optimised graph, weights inside, as an ONNX file; empty: nowhere.
  /// What is found there is as trustworthy as the process that wrote it.
  std::string write_optimised_to;
  /// Whose failures these are: a model whose workers keep dying is not started for a while.
  /// Nothing: failures are not remembered.
  std::optional<VersionRef> version;
};

/// Ends a run from another thread: set once, never cleared.
class RunControl {
 public:
  explicit RunControl(std::optional<SteadyTime> deadline = {}) noexcept : deadline_(deadline) {}
  /// Also cancelled once `*word`, which must outlive this, is `value`: a worker's end of it.
  RunControl(std::optional<SteadyTime> deadline, const std::atomic<std::uint32_t>* word,
             std::uint32_t value) noexcept
      : word_(word), value_(value), deadline_(deadline) {}
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed) ||
           (word_ != nullptr && word_->load(std::memory_order_relaxed) == value_);
  }
  std::optional<SteadyTime> deadline() const noexcept { return deadline_; }
  /// Whose run it is, where workers are not shared between callers. Set before the run begins.
  void set_caller(std::string caller) { caller_ = std::move(caller); }
  const std::string& caller() const noexcept { return caller_; }
  /// What the caller does once nobody reads the run's inputs any more, which may be long before it
  /// ends: an engine that copies them says so, from the thread that called `run`. Set before it.
  /// It may not throw.
  void on_inputs_copied(std::function<void()> release) { release_ = std::move(release); }
  void inputs_copied() {
    if (const auto release = std::exchange(release_, nullptr)) release();
  }

 private:
  std::atomic<bool> cancelled_{false};
  std::string caller_;
  std::function<void()> release_;
  const std::atomic<std::uint32_t>* word_ = nullptr;
  std::uint32_t value_ = 0;
  std::optional<SteadyTime> deadline_;
};

/// The outputs of one run and the memory they lie in. Views hold until it is destroyed.
class RunOutputs {
 public:
  virtual ~RunOutputs() = default;
  /// In the order that was asked for.
  virtual const std::vector<NamedTensorView>& tensors() const noexcept = 0;
  /// Whether they lie in memory of their own, so that the model may go before them.
  virtual bool outlive_model() const noexcept { return false; }
};

/// A model ready to run. `run` may be called from several threads at once.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  /// Runs once. `inputs` have passed check_inputs and are read in place, without a copy, until it
  /// returns or, before that, says that they were copied (RunControl::on_inputs_copied);
  /// `outputs` are names of the signature, empty for all of them.
  /// Fails: `invalid` when the runtime finds a fault in these inputs' values and has run this model
  /// on others; `internal` when it fails otherwise (its text in the Detail, without tensor
  /// content); `deadline`; `unavailable` when cancelled.
  virtual Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>& inputs,
                                                  const std::vector<std::string>& outputs,
                                                  RunControl& control) = 0;
  /// Loads it once more with packed weights, and runs on those from then on: for a model that was
  /// loaded without, to answer soon. May take long; runs go on meanwhile. Once. Takes as much
  /// memory again as the weights have. Fails as `Engine::load`; the model stays as it was then.
  virtual Status pack() { return Done{}; }
  /// Memory that it takes beside the weights it was given, in bytes, measured lately; 0 where the
  /// engine cannot tell.
  virtual std::uint64_t overhead_bytes() const noexcept { return 0; }
  /// Measures that anew: reads a few files of the kernel's.
  virtual void measure() {}
  /// Processor time that what runs it has taken so far: the difference between two calls is what
  /// the runs between them cost, whatever else the machine does. Nothing where the engine cannot
  /// tell.
  virtual std::optional<std::chrono::nanoseconds> processor_time() const { return std::nullopt; }
  /// Ends what runs it, because memory is short: runs under way fail with `unavailable`.
  virtual void end() {}
  /// How often what runs it died or had to be ended since it was loaded.
  virtual std::uint64_t deaths() const noexcept { return 0; }
};

/// How a version's workers have done lately.
enum class Standing {
  well,
  restarting,   ///< one died; another starts after a short pause
  quarantined,  ///< they kept dying; none is started for minutes
};

/// Makes models runnable. Two implementations: engine/ort in this process, and sandbox/ through a
/// worker process of its own.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Fails: `internal` when the runtime refuses the model; `unavailable` when memory is short.
  virtual Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) = 0;
  virtual Standing standing(const VersionRef&) const { return Standing::well; }
  /// How often what ran a model died or had to be ended, of all models; each was replaced by a
  /// fresh one, at once or when the model was next wanted.
  virtual std::uint64_t worker_deaths() const { return 0; }
  /// Memory beside all models that this process and the engine's spare parts take now, in bytes.
  virtual std::uint64_t shared_bytes() const { return 0; }

  /// Whether `load` and the first runs take weights that are still arriving. Such a model can also
  /// `pack` later.
  virtual bool waits_for_weights() const noexcept { return false; }

  /// Names what a graph that `optimise` made fits: the runtime, its options, this processor. Empty
  /// where the engine does not optimise ahead of loading. At most 256 bytes.
  virtual std::string optimises_for() const { return {}; }
  /// Has `model`, a canonical one, optimised, by a throw-away worker where models run in workers:
  /// an ONNX file that hostile code may have written, at most twice the model's size and 16 MiB.
  /// Fails as `load` does; `too_large`; `unavailable` where the engine does not optimise.
  virtual Result<PrivateMemory> optimise(const EngineModel& model) {
    static_cast<void>(model);
    return Error{Code::unavailable, "engine.optimise"};
  }
};

}  // namespace cloister
