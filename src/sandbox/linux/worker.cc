#include "sandbox/linux/worker.h"

#include <chrono>
#include <thread>
#include <vector>

#include "sandbox/lane.h"
#include "sandbox/linux/confine.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/socket.h"
#include "sandbox/linux/wait_word.h"
#include "sandbox/linux/weights_gate.h"
#include "sandbox/linux/worker_process.h"

namespace cloister {

/// Reads the explanations of engine errors, to hand them to the server: they concern its requester.
class WorkerReply {
 public:
  static void write(const Lane& lane, std::uint64_t turn, const Error& error) {
    lane.write_error(turn, error.code, error.detail.reveal(DetailToken()));
  }
};

namespace {

constexpr std::chrono::hours kPatience{24};

/// What the server sent, checked and mapped.
struct Received {
  StartMessage start;
  Mapping bundle;
  Mapping weights;
  Mapping arrival;  ///< the page that counts what is there of the weights
  std::vector<Mapping> lanes;
  Descriptor optimised;  ///< where the optimised graph goes, if that is the duty
};

Status map_weights(int file, Received& received) {
  const std::uint64_t size = received.start.weights_bytes;
  const bool arriving = received.start.arriving == 1;
  CLOISTER_ASSIGN(received.weights,
                  Mapping::map(file, size, arriving ? Mapping::Access::none
                                                    : Mapping::Access::read));
  if (!arriving) return Done{};
  CLOISTER_ASSIGN(received.arrival,
                  Mapping::map(file, sizeof(std::atomic<std::uint32_t>), Mapping::Access::read,
                               PrivateMemory::tail_offset(size)));
  const auto* const arrived = reinterpret_cast<const std::atomic<std::uint32_t>*>(
      received.arrival.bytes().data());
  return wait_for_weights_on_touch(received.weights.bytes(), *arrived);
}

Result<Received> receive_model() {
  Received received;
  StartMessage& start = received.start;
  CLOISTER_ASSIGN(
      std::vector<Descriptor> files,
      receive_message(kWorkerSocket, std::as_writable_bytes(std::span(&start, 1)), kPatience));
  const std::size_t fixed = start.weights_bytes > 0 ? 2 : 1;
  if (start.magic != kChannelMagic || start.version != kChannelVersion || start.lanes == 0 ||
      start.lanes > kLanesMax || files.size() != fixed + start.lanes + start.optimise ||
      start.optimise > 1 || start.arriving > 1 ||
      start.lane_bytes <= kLaneDataOffset || start.lane_bytes > kLaneBytesMax) {
    return Error{Code::corrupt, "worker.start"};
  }
  CLOISTER_ASSIGN(received.bundle, Mapping::map(files[0].number(), start.bundle_bytes,
                                                Mapping::Access::read));
  if (start.weights_bytes > 0) {
    CLOISTER_TRY(map_weights(files[1].number(), received));
  }
  if (start.optimise == 1) {
    received.optimised = std::move(files.back());
    files.pop_back();
  }
  for (std::size_t i = fixed; i < files.size(); ++i) {
    CLOISTER_ASSIGN(Mapping lane, Mapping::map(files[i].number(), start.lane_bytes,
                                               Mapping::Access::read_write));
    received.lanes.push_back(std::move(lane));
  }
  return received;
}

void finish_turn(const Lane& lane, std::uint32_t turn) {
  lane.head().reply_turn.store(turn, std::memory_order_release);
  wake_word(lane.head().reply_turn);
}

/// Waits until the server begins the turn after `turn`.
void await_turn(const Lane& lane, std::uint32_t turn, BriefLook& look) {
  const std::atomic<std::uint32_t>& word = lane.head().request_turn;
  look.await(word, turn);
  while (word.load(std::memory_order_acquire) == turn) wait_on_word(word, turn, kPatience);
}

void run_turn(const Lane& lane, LoadedModel& model, std::uint32_t turn) {
  const Result<Lane::Request> request = lane.read_request(turn);
  if (!request.ok()) return WorkerReply::write(lane, turn, request.error());
  RunControl control(request.value().deadline, &lane.head().cancelled_turn, turn);
  const auto outputs = model.run(request.value().inputs, request.value().outputs, control);
  if (!outputs.ok()) return WorkerReply::write(lane, turn, outputs.error());
  lane.write_reply(turn, outputs.value()->tensors());
}

[[noreturn]] void serve_lane(const Lane& lane, LoadedModel& model, std::uint32_t turn) {
  BriefLook look;
  for (;;) {
    await_turn(lane, turn, look);
    ++turn;
    run_turn(lane, model, turn);
    finish_turn(lane, turn);
  }
}

/// The model for the threads that were started before it could exist.
struct Handover {
  std::atomic<std::uint32_t> ready{0};
  const Signature* signature = nullptr;
  LoadedModel* model = nullptr;
};

void wait_and_serve(const Handover& handover, MutableBytes memory) {
  while (handover.ready.load(std::memory_order_acquire) == 0) {
    wait_on_word(handover.ready, 0, kPatience);
  }
  serve_lane(Lane(memory, *handover.signature), *handover.model, 0);
}

}  // namespace

Status run_worker(const MakeEngine& make_engine) {
  CLOISTER_TRY(let_faults_through());
  ReadyMessage ready;
  ready.landlock = restrict_files() ? 1 : 0;
  CLOISTER_ASSIGN(const auto engine, make_engine());
  touch_code();
  CLOISTER_TRY(send_message(kWorkerSocket, std::as_bytes(std::span(&ready, 1))));
  CLOISTER_ASSIGN(const Received received, receive_model());

  Handover handover;
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < received.lanes.size(); ++i) {
    threads.emplace_back(wait_and_serve, std::cref(handover), received.lanes[i].bytes());
  }
  const bool optimise = received.start.optimise == 1;
  CLOISTER_TRY(lock_down(optimise ? Duty::optimise : Duty::run, received.start.memory_max,
                         received.start.file_max));

  // From here on the model is in charge: what follows must hold whatever it does to this process.
  const Signature none;
  const Lane first(received.lanes[0].bytes(), none);
  auto bundle = decode_bundle(received.bundle.bytes());
  Result<std::unique_ptr<LoadedModel>> loaded = Error{Code::corrupt, "worker.bundle"};
  if (bundle.ok()) {
    EngineModel model{&bundle.value(), received.weights.bytes()};
    model.form = received.start.optimised != 0 ? GraphForm::optimised : GraphForm::canonical;
    model.prepack = received.start.prepack != 0;
    if (optimise) {
      model.write_optimised_to = "/proc/self/fd/" + std::to_string(received.optimised.number());
    }
    loaded = engine->load(model);
  }
  if (!loaded.ok() || optimise) {
    if (loaded.ok()) first.write_reply(1, {});
    if (!loaded.ok()) WorkerReply::write(first, 1, loaded.error());
    finish_turn(first, 1);
    for (;;) wait_on_word(handover.ready, 0, kPatience);  // until it is ended
  }
  first.write_reply(1, {});
  finish_turn(first, 1);
  handover.signature = &bundle.value().signature;
  handover.model = loaded.value().get();
  handover.ready.store(1, std::memory_order_release);
  wake_word(handover.ready);
  serve_lane(Lane(received.lanes[0].bytes(), *handover.signature), *handover.model, 1);
}

}  // namespace cloister
