#include "sandbox/linux/live_worker.h"

#include <utility>

#include "sandbox/linux/socket.h"

namespace cloister {
namespace {

// How often a waiting thread looks whether its worker is alive and its caller still there.
constexpr std::chrono::nanoseconds kLookEvery{std::chrono::milliseconds(20)};
// Data of one request that a lane keeps for the next; more is given back after it.
constexpr std::uint64_t kLaneKeeps = 64ULL << 20;

Error lied() {
  return Error{Code::internal, "sandbox.lied",
               Detail("the model's process broke the rules and was ended")};
}

/// Outputs in memory of this process, wiped when it goes.
class CopiedOutputs final : public RunOutputs, public Lane::OutputMemory {
 public:
  explicit CopiedOutputs(PrivateMemoryPool& pool) : pool_(pool) {}
  const std::vector<NamedTensorView>& tensors() const noexcept override { return tensors_; }
  bool outlive_model() const noexcept override { return true; }
  void set(std::vector<NamedTensorView> tensors) { tensors_ = std::move(tensors); }

  Result<MutableBytes> take(std::uint64_t bytes) override {
    if (bytes == 0) return MutableBytes{};
    CLOISTER_ASSIGN(PrivateMemory memory, pool_.reserve(bytes));
    blocks_.push_back(std::move(memory));
    return blocks_.back().bytes();
  }

 private:
  PrivateMemoryPool& pool_;
  std::vector<PrivateMemory> blocks_;
  std::vector<NamedTensorView> tensors_;
};

/// For an answer without tensors.
class NoMemory final : public Lane::OutputMemory {
 public:
  Result<MutableBytes> take(std::uint64_t) override { return MutableBytes{}; }
};

}  // namespace

Status LiveWorker::load(const ModelFiles& files, bool prepack) {
  CLOISTER_TRY(start(files, prepack));
  const Signature none;
  const Lane first(lanes_[0].memory.bytes(), none);
  const RunControl limit(clock_.steady() + settings_.load_time_max);
  const Status replied = await_reply(first, 1, limit, std::chrono::milliseconds(0));
  if (!replied.ok()) {
    return Error{replied.error().code == Code::deadline ? Code::unavailable : Code::internal,
                 "sandbox.load", replied.error().detail};
  }
  NoMemory nothing;
  const auto reply = first.read_reply(1, {}, nothing);
  if (reply.ok()) return Done{};
  if (reply.error().code == Code::corrupt) return fault(lied());
  return Error{Code::internal, "sandbox.load", reply.error().detail};
}

Status LiveWorker::start(const ModelFiles& files, bool prepack) {
  StartMessage start;
  const unsigned lanes = files.optimised < 0 ? settings_.lanes : 1;
  start.lanes = lanes;
  start.optimise = files.optimised < 0 ? 0 : 1;
  start.file_max = files.optimised_max;
  start.optimised = files.form == GraphForm::optimised ? 1 : 0;
  start.prepack = prepack ? 1 : 0;
  start.arriving = files.arrival != nullptr && files.weights_bytes > 0 ? 1 : 0;
  start.bundle_bytes = files.bundle_bytes;
  start.weights_bytes = files.weights_bytes;
  start.lane_bytes = settings_.lane_bytes;
  start.memory_max = settings_.worker_memory_max;
  std::vector<int> descriptors = {files.bundle.number()};
  if (files.weights_bytes > 0) descriptors.push_back(files.weights);
  for (unsigned i = 0; i < lanes; ++i) {
    LaneSlot slot;
    CLOISTER_ASSIGN(slot.file, make_memory_file(settings_.lane_bytes));
    CLOISTER_ASSIGN(slot.memory, Mapping::map(slot.file.number(), settings_.lane_bytes,
                                              Mapping::Access::read_write));
    descriptors.push_back(slot.file.number());
    lanes_.push_back(std::move(slot));
  }
  if (files.optimised >= 0) descriptors.push_back(files.optimised);
  // Loading is the first lane's first turn.
  const Signature none;
  lanes_[0].turn = 1;
  Lane(lanes_[0].memory.bytes(), none).head().request_turn.store(1, std::memory_order_release);
  return send_message(process_.socket(), std::as_bytes(std::span(&start, 1)), descriptors);
}

Error LiveWorker::died() const {
  if (over_memory_.load(std::memory_order_acquire)) {
    return Error{Code::unavailable, "sandbox.memory",
                 Detail("the model's process took more memory than the server has left")};
  }
  return Error{Code::internal, "sandbox.died", Detail("the model's process died of this")};
}

void LiveWorker::end_for_memory() noexcept {
  over_memory_.store(true, std::memory_order_release);
  process_.end();
}

Error LiveWorker::fault(Error error) {
  broken_.store(true, std::memory_order_release);
  process_.end();
  return error;
}

/// Until its worker or its caller is looked after, or the deadline has come.
std::chrono::nanoseconds LiveWorker::time_to_look(std::optional<SteadyTime> deadline) const {
  constexpr std::chrono::nanoseconds kLeast{100'000};
  if (!deadline) return kLookEvery;
  return std::clamp<std::chrono::nanoseconds>(*deadline - clock_.steady(), kLeast, kLookEvery);
}

Status LiveWorker::await_reply(const Lane& lane, std::uint32_t turn, const RunControl& control,
                               std::chrono::milliseconds grace) {
  const std::atomic<std::uint32_t>& word = lane.head().reply_turn;
  std::optional<SteadyTime> end_by;
  bool late = false;
  for (;;) {
    const std::uint32_t now = word.load(std::memory_order_acquire);
    if (now == turn) return Done{};
    // Only one value may stand there meanwhile; a worker that writes others would keep us busy.
    if (now != turn - 1) return fault(lied());
    wait_on_word(word, turn - 1, end_by ? kLookEvery : time_to_look(control.deadline()));
    if (word.load(std::memory_order_acquire) != turn - 1) continue;
    if (!process_.alive()) return fault(died());
    if (broken()) return died();
    const SteadyTime time = clock_.steady();
    if (end_by && time >= *end_by) {
      return fault(Error{late ? Code::deadline : Code::unavailable, "sandbox.overdue"});
    }
    if (end_by) continue;
    late = control.deadline() && time >= *control.deadline();
    if (late || control.cancelled()) {
      lane.head().cancelled_turn.store(turn, std::memory_order_relaxed);
      end_by = time + grace;
    }
  }
}

Result<std::unique_ptr<RunOutputs>> LiveWorker::run(std::size_t index,
                                                    const std::vector<NamedTensorView>& inputs,
                                                    const std::vector<std::string>& outputs,
                                                    RunControl& control,
                                                    PrivateMemoryPool& memory) {
  LaneSlot& slot = lanes_[index];
  const Lane lane(slot.memory.bytes(), signature_);
  CLOISTER_TRY(lane.write_request(slot.turn + 1, inputs, outputs, control.deadline()));
  const std::uint32_t turn = ++slot.turn;
  lane.head().request_turn.store(turn, std::memory_order_release);
  wake_word(lane.head().request_turn);
  control.inputs_copied();  // while the worker computes, and what is wiped is in the caches still
  slot.look.await(lane.head().reply_turn, turn - 1);
  CLOISTER_TRY(await_reply(lane, turn, control, settings_.grace));

  auto copied = std::make_unique<CopiedOutputs>(memory);
  auto reply = lane.read_reply(turn, outputs, *copied);
  if (memory_of(slot.file.number()) > kLaneDataOffset + kLaneKeeps) {
    discard(slot.file.number(), kLaneDataOffset, settings_.lane_bytes - kLaneDataOffset);
  }
  if (!reply.ok()) {
    if (reply.error().code == Code::corrupt) return fault(lied());
    return reply.error();
  }
  copied->set(std::move(reply).value());
  return std::unique_ptr<RunOutputs>(std::move(copied));
}

std::uint64_t LiveWorker::overhead_bytes() const {
  std::uint64_t bytes = process_.private_bytes();
  for (const LaneSlot& lane : lanes_) bytes += memory_of(lane.file.number());
  return bytes;
}

}  // namespace cloister
