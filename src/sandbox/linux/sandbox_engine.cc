#include "sandbox/linux/sandbox_engine.h"

#include <utility>

#include "sandbox/linux/failure_book.h"
#include "sandbox/linux/live_worker.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/optimised_form.h"
#include "sandbox/linux/preparer.h"
#include "sandbox/linux/spare_workers.h"
#include "sandbox/linux/worker_set.h"

namespace cloister {
namespace {

constexpr unsigned kSparesMax = 16;
constexpr std::uint64_t kKeptBytesMax = 64ULL << 20;  // output buffers kept for the next runs
constexpr unsigned kWorkersMax = 64;

/// What the models of one engine share.
struct Shared {
  Shared(const SandboxSettings& chosen, const Clock& time)
      : settings(chosen), clock(time), failures(settings, time), spares(settings),
        memory(kKeptBytesMax) {}
  const SandboxSettings settings;
  const Clock& clock;
  FailureBook failures;
  SpareWorkers spares;
  PrivateMemoryPool memory;
  Preparer preparer;  // last: it uses the others
};

class SandboxModel final : public LoadedModel {
 public:
  SandboxModel(Shared& shared, ModelFiles files, const EngineModel& model)
      : shared_(shared),
        files_(std::move(files)),
        signature_(model.bundle->signature),
        version_(model.version),
        prepack_(model.prepack),
        workers_(shared.settings, shared.clock, [this] { return new_worker(prepack_); },
                 [this] { count_death(); }) {}
  ~SandboxModel() override {
    shared_.preparer.forget(workers_);
    refill();
  }

  /// Starts the first worker, at load, where a refusal of the runtime's is the answer.
  Status start() {
    CLOISTER_ASSIGN(auto worker, new_worker(prepack_));
    workers_.add(std::move(worker));
    workers_.measure();
    return Done{};
  }

  Status pack() override {
    if (prepack_.load()) return Done{};
    CLOISTER_ASSIGN(auto worker, new_worker(true));
    prepack_ = true;
    workers_.replace(std::move(worker));
    workers_.measure();
    refill();
    return Done{};
  }

  Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>& inputs,
                                          const std::vector<std::string>& outputs,
                                          RunControl& control) override {
    CLOISTER_ASSIGN(const WorkerSet::Use use, workers_.take(control));
    auto result = use.worker->run(use.lane, inputs, outputs, control, shared_.memory);
    if (workers_.give_back(use)) shared_.preparer.want(workers_);
    refill();
    CLOISTER_TRY(all_arrived());
    return result;
  }

  std::uint64_t overhead_bytes() const noexcept override { return workers_.overhead_bytes(); }
  void measure() override {
    workers_.measure();
    refill();
  }
  std::optional<std::chrono::nanoseconds> processor_time() const override {
    return workers_.processor_time();
  }
  void end() override { workers_.end(); }
  std::uint64_t deaths() const noexcept override {
    return deaths_.load(std::memory_order_relaxed);
  }

 private:
  /// No answer leaves before every weight was verified.
  Status all_arrived() {
    if (arrived_.load(std::memory_order_acquire)) return Done{};
    CLOISTER_TRY(files_.arrival->wait());
    arrived_.store(true, std::memory_order_release);
    return Done{};
  }

  /// Has another spare worker started for the one that was taken. Not before the first answer,
  /// which would wait for the processor that a start takes.
  void refill() {
    if (spare_taken_.exchange(false)) shared_.spares.refill();
  }

  Result<std::shared_ptr<LiveWorker>> new_worker(bool prepack) {
    CLOISTER_TRY(shared_.failures.may_start(version_));
    CLOISTER_ASSIGN(WorkerProcess process, shared_.spares.take());
    spare_taken_ = true;
    auto worker = std::make_shared<LiveWorker>(std::move(process), signature_, shared_.settings,
                                               shared_.clock);
    Status loaded = worker->load(files_, prepack);
    if (loaded.ok()) return worker;
    if (worker->broken()) count_death();
    return loaded.error();
  }

  void count_death() {
    ++deaths_;
    shared_.failures.died(version_);
  }

  Shared& shared_;
  const ModelFiles files_;
  const Signature& signature_;
  const std::optional<VersionRef> version_;
  std::atomic<bool> prepack_;
  std::atomic<bool> arrived_{files_.arrival == nullptr};
  std::atomic<bool> spare_taken_{false};
  std::atomic<std::uint64_t> deaths_{0};
  WorkerSet workers_;
};

Result<ModelFiles> files_of(const EngineModel& model) {
  ModelFiles files;
  const ByteVector bundle = encode_bundle(*model.bundle);
  CLOISTER_ASSIGN(files.bundle, make_memory_file(bundle));
  files.bundle_bytes = bundle.size();
  files.weights_bytes = model.weights.size();
  if (!model.weights.empty() && model.weights_file >= 0) {
    CLOISTER_TRY(seal_against_new_writers(model.weights_file));
    files.weights = model.weights_file;
  } else if (!model.weights.empty()) {
    CLOISTER_ASSIGN(files.own_weights, make_memory_file(model.weights));
    files.weights = files.own_weights.number();
  }
  files.form = model.form;
  files.arrival = model.arrival;
  return files;
}

class LinuxSandboxEngine final : public SandboxEngine {
 public:
  LinuxSandboxEngine(const SandboxSettings& settings, const Clock& clock)
      : shared_(settings, clock) {}

  Status start() {
    CLOISTER_ASSIGN(const WorkerProcess first, shared_.spares.take());
    in_force_ = first.in_force();
    shared_.spares.refill();
    return Done{};
  }

  const Confinement& in_force() const noexcept override { return in_force_; }
  Standing standing(const VersionRef& version) const override {
    return shared_.failures.standing(version);
  }
  std::uint64_t worker_deaths() const override { return shared_.failures.deaths(); }
  std::uint64_t shared_bytes() const override {
    const WorkerProgram& program = shared_.settings.program;
    return private_bytes_of_this_process() + shared_.spares.private_bytes() +
           memory_of(program.program) + memory_of(program.library);
  }

  bool waits_for_weights() const noexcept override { return true; }

  std::string optimises_for() const override {
    return optimised_form_fits(shared_.settings.runtime);
  }

  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    CLOISTER_ASSIGN(ModelFiles files, files_of(model));
    auto loaded = std::make_unique<SandboxModel>(shared_, std::move(files), model);
    CLOISTER_TRY(loaded->start());
    return std::unique_ptr<LoadedModel>(std::move(loaded));
  }

  Result<PrivateMemory> optimise(const EngineModel& model) override {
    CLOISTER_ASSIGN(ModelFiles files, files_of(model));
    CLOISTER_ASSIGN(const Descriptor output, make_growing_file());
    files.optimised = output.number();
    files.optimised_max = optimised_form_bytes_max(files.bundle_bytes + files.weights_bytes);
    {
      CLOISTER_ASSIGN(WorkerProcess process, shared_.spares.take());
      LiveWorker worker(std::move(process), model.bundle->signature, shared_.settings,
                        shared_.clock);
      // Packed weights would only cost memory here.
      const Status written = worker.load(files, false);
      shared_.spares.refill();
      CLOISTER_TRY(written);
    }  // the worker is gone before what it wrote is looked at
    return read_growing_file(output.number(), files.optimised_max);
  }

 private:
  Shared shared_;
  Confinement in_force_;
};

}  // namespace

Result<std::unique_ptr<SandboxEngine>> make_sandbox_engine(const SandboxSettings& settings,
                                                           const Clock& clock) {
  if (settings.lanes < 1 || settings.lanes > kLanesMax || settings.spares > kSparesMax ||
      settings.workers_max < 2 || settings.workers_max > kWorkersMax ||
      settings.lane_bytes <= kLaneDataOffset || settings.lane_bytes > kLaneBytesMax) {
    return Error{Code::invalid, "sandbox.settings"};
  }
  auto engine = std::make_unique<LinuxSandboxEngine>(settings, clock);
  CLOISTER_TRY(engine->start());
  return std::unique_ptr<SandboxEngine>(std::move(engine));
}

}  // namespace cloister
