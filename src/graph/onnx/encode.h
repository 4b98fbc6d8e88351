#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "graph/onnx/proto.h"

namespace cloister {

/// Where an initializer of the main graph goes in the weights segment.
struct WeightPlace {
  std::size_t initializer = 0;  ///< its place in Model::graph.initializers; rising
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Writes `model` as a ModelProto of our own: fields in rising order, each in one encoding, values
/// as raw data, lists packed, and nothing that the model does not need to compute. Initializers in
/// `weights` become external data at kWeightsLocation without their values. The same model gives
/// the same bytes, and reading them back gives the same model.
/// Nothing when the result would pass kCanonicalGraphBytesMax.
std::optional<ByteVector> encode_model(const Model& model, const std::vector<WeightPlace>& weights);

}  // namespace cloister
