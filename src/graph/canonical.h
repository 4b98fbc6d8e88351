#pragma once

#include <cstdint>
#include <vector>

#include "graph/findings.h"
#include "graph/onnx/encode.h"
#include "graph/onnx/proto.h"
#include "model/validated_model.h"

namespace cloister {

/// Brings a checked model into the one form that is stored: large constants of the main graph are
/// initializers; initializers of old files (IR version 3) are no longer inputs; a ZipMap at the end
/// gives its scores as they are; imports that nothing needs are gone.
void make_canonical(Model& model);

/// The large initializers of a model, laid out in the weights segment.
struct CanonicalWeights {
  std::vector<WeightPlace> places;
  std::vector<WeightEntry> entries;
  std::vector<WeightPiece> pieces;
  std::vector<ByteVector> converted;  ///< what pieces point into that has no place in the file
  std::uint64_t bytes = 0;
};

/// Lays out every initializer that is larger than kWeightInlineBytesMax and has one of the
/// protocol's types. Values stay where the file has them; only lists of varints and of single
/// numbers are converted into memory of their own, kConvertedBytesMax at most (`limit-converted`).
CanonicalWeights place_weights(const Model& model, FindingList& findings);

}  // namespace cloister
