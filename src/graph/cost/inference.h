#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/cost/shaped.h"
#include "graph/onnx/proto.h"

namespace cloister {

/// One use of an operator, with what is known of its inputs.
struct Call {
  const Node* node = nullptr;
  std::int64_t opset = 0;             ///< of the operator's domain
  std::vector<const Shaped*> inputs;  ///< null where an optional input is left out

  /// The input at that place; one of which nothing is known where there is none.
  const Shaped& input(std::size_t index) const noexcept;
  bool has(std::size_t index) const noexcept {
    return index < inputs.size() && inputs[index] != nullptr;
  }
  /// The elements of a small constant list of integers, all of them known.
  std::optional<std::vector<std::int64_t>> list(std::size_t index) const;
};

/// What an operator makes of it. An output that is missing here is not known at all.
struct Inferred {
  std::vector<Shaped> outputs;
  std::uint64_t multiply_adds = 0;  ///< beside one for each element of each output
};

/// How many elements of an integer tensor are followed through the graph.
inline constexpr std::size_t kFollowedValuesMax = 64;

/// The rules, by kind of operator: nothing when the operator is not theirs.
std::optional<Inferred> infer_elementwise(const Call& call);
std::optional<Inferred> infer_layout(const Call& call);   ///< shape in, shape out
std::optional<Inferred> infer_layer(const Call& call);    ///< convolutions, products, recurrences
std::optional<Inferred> infer_made(const Call& call);     ///< Constant, Shape, Range and such
std::optional<Inferred> infer_indexed(const Call& call);  ///< Gather, Slice, Split, TopK and such

/// A tensor of the file: its shape and, if it is small, its integers.
Shaped shaped_tensor(const Tensor& tensor);

/// `axis` counted from the front; nothing when it is out of range.
std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) noexcept;

}  // namespace cloister
