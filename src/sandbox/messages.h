#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "model/model.h"
#include "tensor/tensor.h"

// What passes between the server and one worker, as it lies in memory: both ends are built from
// this header, run on the same processor, and check everything all the same. Docs: sandbox.md.

namespace cloister {

inline constexpr std::uint32_t kChannelVersion = 1;
inline constexpr std::uint32_t kChannelMagic = 0x436C'6F69;
inline constexpr std::size_t kLanesMax = 16;        ///< requests that one worker runs at a time
inline constexpr std::size_t kReplyTextMax = 1000;  ///< bytes of an error's explanation

/// Server to worker, once, over the socket, with these descriptors: the bundle, the weights (none
/// where weights_bytes is 0), then one memory file for each lane. Every file's size is sealed.
struct StartMessage {
  std::uint32_t magic = kChannelMagic;
  std::uint32_t version = kChannelVersion;
  std::uint32_t lanes = 1;      ///< 1 to kLanesMax
  std::uint32_t optimised = 0;  ///< 1: the graph's form is GraphForm::optimised
  std::uint64_t bundle_bytes = 0;
  std::uint64_t weights_bytes = 0;
  std::uint64_t lane_bytes = 0;   ///< of each lane's file; more than kLaneDataOffset
  std::uint64_t memory_max = 0;   ///< bytes of private memory that the worker may have
  std::uint32_t prepack = 0;
  /// 1: the worker writes the optimised graph into one more memory file, which comes last, and
  /// runs nothing.
  std::uint32_t optimise = 0;
  std::uint64_t file_max = 0;  ///< bytes that this file may have
  /// 1: weights still arrive; the word that counts what is there (WeightsArrival) lies in the page
  /// behind them.
  std::uint32_t arriving = 0;
  std::uint32_t reserved = 0;
};

/// Worker to server, once, over the socket: the runtime is there and the worker waits.
struct ReadyMessage {
  std::uint32_t magic = kChannelMagic;
  std::uint32_t version = kChannelVersion;
  std::uint32_t landlock = 0;  ///< 1: in force
  std::uint32_t reserved = 0;
};

/// One tensor in a lane's data.
struct TensorRecord {
  std::uint32_t name = 0;  ///< place in the signature: inputs then optional inputs; or outputs
  std::uint32_t type = 0;  ///< DType
  std::uint32_t rank = 0;
  std::uint32_t reserved = 0;
  std::uint64_t offset = 0;  ///< from the beginning of the lane's data, a multiple of 64
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kRankMax> extents{};
};

struct RunRequest {
  std::uint32_t version = kChannelVersion;
  std::uint32_t inputs = 0;   ///< records that count
  std::uint32_t outputs = 0;  ///< places in the signature that count
  std::uint32_t reserved = 0;
  std::uint64_t turn = 0;
  std::int64_t deadline_ns = 0;  ///< of the monotonic clock; 0 for none
};

struct RunReply {
  std::uint32_t version = kChannelVersion;
  std::uint32_t code = 0;     ///< 0: done; else 1 + Code
  std::uint32_t outputs = 0;  ///< records that count, in the order that was asked for
  std::uint32_t text_bytes = 0;
  std::uint64_t turn = 0;
  std::array<char, kReplyTextMax> text{};
};

/// The beginning of a lane's memory. A turn begins when the server writes `request_turn` and ends
/// when the worker writes the same number to `reply_turn`: turn 1 of lane 0 is the loading of the
/// model, the others are runs. Numbers rise by one.
struct LaneHead {
  alignas(64) std::atomic<std::uint32_t> request_turn;
  alignas(64) std::atomic<std::uint32_t> reply_turn;
  alignas(64) std::atomic<std::uint32_t> cancelled_turn;  ///< the server ends this turn
  alignas(4096) RunRequest request;
  std::array<std::uint32_t, kSignatureTensorsMax> wanted;
  std::array<TensorRecord, kSignatureTensorsMax> inputs;
  alignas(4096) RunReply reply;
  std::array<TensorRecord, kSignatureTensorsMax> outputs;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::is_trivially_copyable_v<RunReply> && std::is_trivially_copyable_v<RunRequest> &&
              std::is_trivially_copyable_v<TensorRecord> &&
              std::is_trivially_copyable_v<StartMessage>);

inline constexpr std::uint64_t kLaneDataAlignment = 64;
/// Where a lane's tensors begin.
inline constexpr std::uint64_t kLaneDataOffset = (sizeof(LaneHead) + 4095) / 4096 * 4096;
inline constexpr std::uint64_t kLaneBytesMax = 16ULL << 30;

}  // namespace cloister
