#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/validated_model.h"

namespace cloister {

/// Stands in for admission where a test needs a model and no ONNX: ValidatedModel has one maker,
/// and this is the one of programs that do not link graph/.
class GraphAdmission {
 public:
  static ValidatedModel pass(GraphBundle bundle, std::vector<WeightPiece> weights) {
    ModelCost cost;
    cost.weights_bytes = bundle.weights_bytes;
    cost.bounded = true;
    return ValidatedModel(std::move(bundle), std::move(weights), {}, cost);
  }
};

/// A model whose bytes depend on `seed` alone: a graph of `graph_bytes`, and two weights with a
/// gap between them that fill a segment of `weights_bytes` (0, or at least 256).
class SampleModel {
 public:
  SampleModel(std::uint64_t seed, std::size_t graph_bytes, std::size_t weights_bytes)
      : upload_(weights_bytes) {
    GraphBundle bundle;
    bundle.graph = noise(seed, graph_bytes);
    bundle.weights_bytes = weights_bytes;
    bundle.signature.inputs = {{"x", DType::f32, true, {{std::nullopt, "batch"}, {30, ""}}}};
    bundle.signature.outputs = {{"label", DType::i64, false, {}}};
    upload_ = noise(seed + 1, weights_bytes);
    std::vector<WeightPiece> pieces;
    if (weights_bytes > 0) {
      const std::size_t split = weights_bytes / 2 / kWeightAlignment * kWeightAlignment;
      const auto add = [&](std::string name, std::size_t from, std::size_t to) {
        bundle.weights.push_back({std::move(name), DType::u8, {to - from}, from, to - from});
        pieces.push_back({from, Bytes(upload_).subspan(from, to - from)});
      };
      add("first", 0, split - 1);
      add("second", split, weights_bytes);
      upload_[split - 1] = std::byte{0};
    }
    model_.push_back(GraphAdmission::pass(std::move(bundle), std::move(pieces)));
  }
  SampleModel(const SampleModel&) = delete;
  SampleModel& operator=(const SampleModel&) = delete;

  const ValidatedModel& model() const noexcept { return model_.front(); }
  /// What the weights segment holds, the gap's zeros included.
  Bytes weights() const noexcept { return upload_; }

 private:
  static ByteVector noise(std::uint64_t seed, std::size_t size) {
    ByteVector bytes(size);
    std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
    for (std::byte& byte : bytes) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      byte = static_cast<std::byte>(state >> 56);
    }
    return bytes;
  }

  ByteVector upload_;
  std::vector<ValidatedModel> model_;  // one; the type has no default
};

}  // namespace cloister
