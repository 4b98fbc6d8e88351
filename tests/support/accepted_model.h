#pragma once

#include <cstdint>
#include <variant>

#include "base/check.h"
#include "graph/onnx/decode.h"
#include "graph/onnx/encode.h"
#include "model/validated_model.h"

namespace cloister {

/// Stops where `nodes`, or a graph inside them, holds a tensor whose values are elsewhere.
inline void check_nothing_outside(const std::vector<Node>& nodes) {
  for (const Node& node : nodes) {
    for (const Attribute& attribute : node.attributes) {
      if (!attribute.content) continue;
      for (const Tensor& tensor : attribute.content->tensors) CLOISTER_CHECK(!tensor.external);
      for (const Graph& graph : attribute.content->graphs) {
        for (const Tensor& tensor : graph.initializers) CLOISTER_CHECK(!tensor.external);
        check_nothing_outside(graph.nodes);
      }
    }
  }
}

/// Stops where what admission accepted is not what it promises, whatever the upload was: the
/// canonical graph reads back as the same bytes, the only values outside it are the weights', and
/// these are aligned, in order, without overlap, and as large as they are said to be.
inline void check_accepted(const ValidatedModel& model) {
  const GraphBundle& bundle = model.bundle();
  auto decoded = decode_model(bundle.graph);
  const auto* again = std::get_if<Model>(&decoded);
  CLOISTER_CHECK(again != nullptr);
  const auto written = encode_model(*again, {});
  CLOISTER_CHECK(written && *written == bundle.graph);
  std::size_t outside = 0;
  for (const Tensor& tensor : again->graph.initializers) {
    if (!tensor.external) continue;
    ++outside;
    CLOISTER_CHECK(tensor.external_data.size() == 3);
    CLOISTER_CHECK(tensor.external_data[0].second == kWeightsLocation);
  }
  CLOISTER_CHECK(outside == bundle.weights.size());
  check_nothing_outside(again->graph.nodes);
  for (const Function& function : again->functions) check_nothing_outside(function.nodes);
  CLOISTER_CHECK(model.weights().size() == bundle.weights.size());
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < bundle.weights.size(); ++i) {
    const WeightEntry& entry = bundle.weights[i];
    CLOISTER_CHECK(entry.offset % kWeightAlignment == 0 && entry.offset >= end);
    CLOISTER_CHECK(model.weights()[i].source.size() == entry.bytes);
    end = entry.offset + entry.bytes;
  }
  CLOISTER_CHECK(end == bundle.weights_bytes);
}

}  // namespace cloister
