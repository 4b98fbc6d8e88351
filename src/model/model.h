#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace cloister {

inline constexpr std::size_t kModelNameMax = 64;  ///< bytes of a model's or principal's name
inline constexpr std::uint64_t kVersionNumberMax = 1ULL << 31;
inline constexpr std::size_t kSignatureTensorsMax = 1024;
inline constexpr std::size_t kTensorNameMax = 1024;  ///< bytes of a name or symbol in a model

/// Who acts: the name of a principal. 1 to kModelNameMax of [A-Za-z0-9_-]; no dot, which
/// separates an owner from his model.
struct PrincipalId {
  std::string value;
  auto operator<=>(const PrincipalId&) const = default;
};

/// A model, scoped to its owner: names of different owners never meet.
struct ModelId {
  PrincipalId owner;
  std::string name;
  auto operator<=>(const ModelId&) const = default;
};

struct VersionNumber {
  std::uint64_t value = 0;  ///< 1 to kVersionNumberMax; a number is never used twice
  auto operator<=>(const VersionNumber&) const = default;
};

struct VersionRef {
  ModelId model;
  VersionNumber version;
  auto operator<=>(const VersionRef&) const = default;
};

/// Whether `name` may name a model: [A-Za-z0-9_-], at most kModelNameMax bytes, not empty.
bool is_name(std::string_view name) noexcept;

/// SHA-256 of the bytes that were uploaded: what names a version to everybody.
using ModelDigest = std::array<std::byte, 32>;

/// One extent of a declared shape: a number, or open (`-1` in the protocol), with the symbol that
/// the model gives it, if any ("batch").
struct Extent {
  std::optional<std::uint64_t> value;
  std::string symbol;
  bool operator==(const Extent&) const = default;
};

/// A named input or output as the model declares it. `rank_known` is false where the model says
/// nothing about the shape; `extents` is empty then.
struct TensorSpec {
  std::string name;
  DType type = DType::f32;
  bool rank_known = true;
  std::vector<Extent> extents;
  bool operator==(const TensorSpec&) const = default;
};

/// What a model takes and gives. An optional input has a default inside the model.
struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> optional_inputs;
  std::vector<TensorSpec> outputs;
  bool operator==(const Signature&) const = default;
};

/// Checks one request's inputs against a signature before the runtime sees them: every required
/// name once and no other, type, rank, extents (equal symbols must agree), byte count.
/// Fails: `invalid`, with a Detail such as `input "x": expected float32 [1,30], got float64
/// [1,30]`.
Status check_inputs(const Signature& signature, const std::vector<NamedTensorView>& inputs);

/// An upper bound in bytes for one request's inputs together, where every extent is known;
/// nothing where one is open.
std::optional<std::uint64_t> input_bytes_bound(const Signature& signature);

/// One initializer that lies in the weights segment, not in the graph.
struct WeightEntry {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  std::uint64_t offset = 0;  ///< into the weights segment; a multiple of kWeightAlignment
  std::uint64_t bytes = 0;
  bool operator==(const WeightEntry&) const = default;
};
inline constexpr std::uint64_t kWeightAlignment = 64;
inline constexpr std::size_t kWeightEntriesMax = 1U << 16;

/// The external_data `location` of every WeightEntry's initializer in the graph. It names an entry
/// of /dev that is empty to whoever reads it: the runtime insists that the place exists, even
/// though the bytes are handed to it and it reads nothing there.
inline constexpr std::string_view kWeightsLocation = "null";

/// What an engine needs beside the weights: the canonical ONNX graph, in which every entry of
/// `weights` is an initializer without its data, and the signature. `graph` is a ModelProto.
struct GraphBundle {
  ByteVector graph;
  std::vector<WeightEntry> weights;
  std::uint64_t weights_bytes = 0;  ///< size of the weights segment
  Signature signature;
};

/// The bundle as it stands in a version's graph segment, and back. `decode_bundle` takes hostile
/// bytes (a worker may have made them): every count, name, offset and overlap is checked.
/// Source: docs/store-format.md, "Graph segment". Fails: `corrupt`.
ByteVector encode_bundle(const GraphBundle& bundle);
Result<GraphBundle> decode_bundle(Bytes encoded);

}  // namespace cloister
