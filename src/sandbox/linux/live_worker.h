#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "sandbox/lane.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/sandbox_engine.h"
#include "sandbox/linux/wait_word.h"
#include "secret/private_memory.h"

namespace cloister {

/// A model as workers get it: sealed files that several workers, one after the other, may read.
struct ModelFiles {
  Descriptor bundle;
  std::uint64_t bundle_bytes = 0;
  Descriptor own_weights;  ///< where the weights had to be copied
  int weights = -1;        ///< -1: none
  std::uint64_t weights_bytes = 0;
  GraphForm form = GraphForm::canonical;
  WeightsArrival* arrival = nullptr;  ///< null: all weights are there
  int optimised = -1;               ///< an empty memory file to optimise into, else -1
  std::uint64_t optimised_max = 0;  ///< bytes that it may have
};

/// One worker with one model in it. Each lane is for one thread at a time.
class LiveWorker {
 public:
  /// `settings`, `clock` and `signature` must outlive it.
  LiveWorker(WorkerProcess process, const Signature& signature, const SandboxSettings& settings,
             const Clock& clock)
      : process_(std::move(process)), signature_(signature), settings_(settings), clock_(clock) {}

  /// Hands the model over and waits until it is loaded. Once, before any run.
  /// Fails: `internal` (the runtime refuses the model, or the worker died: `broken` tells);
  /// `unavailable` (it took too long); `io`.
  Status load(const ModelFiles& files, bool prepack);

  /// Runs on lane `index`. Where the worker broke, `broken` says so afterwards.
  Result<std::unique_ptr<RunOutputs>> run(std::size_t index,
                                          const std::vector<NamedTensorView>& inputs,
                                          const std::vector<std::string>& outputs,
                                          RunControl& control, PrivateMemoryPool& memory);
  /// Ended, or to be ended as it broke a rule: nothing more will come from it.
  bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }
  /// Ends it because memory is short, from any thread: runs under way fail with `unavailable`.
  void end_for_memory() noexcept;
  bool alive() const noexcept { return !broken() && process_.alive(); }
  /// Bytes beside the weights.
  std::uint64_t overhead_bytes() const;
  /// As WorkerProcess says it.
  std::optional<std::chrono::nanoseconds> processor_time() const {
    return process_.processor_time();
  }

 private:
  struct LaneSlot {
    Descriptor file;
    Mapping memory;
    std::uint32_t turn = 0;
    BriefLook look;
  };
  Status start(const ModelFiles& files, bool prepack);
  Status await_reply(const Lane& lane, std::uint32_t turn, const RunControl& control,
                     std::chrono::milliseconds grace);
  std::chrono::nanoseconds time_to_look(std::optional<SteadyTime> deadline) const;
  Error fault(Error error);
  Error died() const;

  WorkerProcess process_;
  const Signature& signature_;
  const SandboxSettings& settings_;
  const Clock& clock_;
  std::vector<LaneSlot> lanes_;
  std::atomic<bool> broken_{false};
  std::atomic<bool> over_memory_{false};
};

}  // namespace cloister
