#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/model.h"
#include "sandbox/messages.h"

namespace cloister {

/// A lane's memory, seen from either end: writes what the other end reads, and reads what the
/// other end wrote without believing it. What is checked is copied out first, as the other end
/// may go on writing. Waiting and waking are not done here.
class Lane {
 public:
  /// `memory`: page-aligned, shared with the other end, larger than kLaneDataOffset; it and
  /// `signature` must outlive this.
  Lane(MutableBytes memory, const Signature& signature) noexcept
      : head_(*reinterpret_cast<LaneHead*>(memory.data())),
        data_(memory.subspan(kLaneDataOffset)),
        signature_(signature) {}

  LaneHead& head() const noexcept { return head_; }
  MutableBytes data() const noexcept { return data_; }

  /// Server: puts one request there. `inputs` fit the signature (check_inputs); `outputs` are
  /// names of it, or empty for all. Fails: `too_large` where the lane's data is too small.
  Status write_request(std::uint64_t turn, const std::vector<NamedTensorView>& inputs,
                       const std::vector<std::string>& outputs,
                       std::optional<SteadyTime> deadline) const;

  /// What the worker reads: views into the lane.
  struct Request {
    std::vector<NamedTensorView> inputs;
    std::vector<std::string> outputs;
    std::optional<SteadyTime> deadline;
  };
  /// Worker. Fails: `corrupt`.
  Result<Request> read_request(std::uint64_t turn) const;

  /// Worker: the answer to `turn`. An answer that does not fit becomes a `too_large` error.
  void write_reply(std::uint64_t turn, const std::vector<NamedTensorView>& outputs) const;
  void write_error(std::uint64_t turn, Code code, std::string_view text) const;

  /// Where an answer's tensors are to be copied to.
  class OutputMemory {
   public:
    virtual ~OutputMemory() = default;
    /// `bytes` bytes that last as long as the answer does.
    virtual Result<MutableBytes> take(std::uint64_t bytes) = 0;
  };
  /// Server: the answer to `turn`, which was asked for with `outputs`: copied, then checked against
  /// the signature's names and types. A failed run comes back as the worker's error, its
  /// text as Detail. Fails: `corrupt` where the worker breaks the rules: it must not live on.
  Result<std::vector<NamedTensorView>> read_reply(std::uint64_t turn,
                                                  const std::vector<std::string>& outputs,
                                                  OutputMemory& memory) const;

 private:
  Result<TensorView> view_of(const TensorRecord& record) const;

  LaneHead& head_;
  MutableBytes data_;
  const Signature& signature_;
};

}  // namespace cloister
