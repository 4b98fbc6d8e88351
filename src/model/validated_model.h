#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace cloister {

/// A piece of the weights segment: where it goes, and where its bytes are now (in the upload).
struct WeightPiece {
  std::uint64_t offset = 0;
  Bytes source;
};

/// What admission measured without running anything.
struct ModelCost {
  std::uint64_t parameters = 0;
  std::uint64_t nodes = 0;
  std::uint64_t weights_bytes = 0;
  std::uint64_t activation_bytes = 0;   ///< all values that nodes make, none freed
  std::uint64_t multiply_adds = 0;
  bool bounded = false;  ///< whether both bound every run; else they take open extents as 1
};

/// A model that admission accepted: our own canonical encoding, and the weights still where the
/// upload lies. Only graph/ makes one; nothing else can be stored or run.
class ValidatedModel {
 public:
  const GraphBundle& bundle() const noexcept { return bundle_; }
  /// In rising order of offset, without overlap; gaps are zeros. Pieces lie in the upload, or in
  /// this object where the upload's own encoding had to be converted.
  const std::vector<WeightPiece>& weights() const noexcept { return weights_; }
  const ModelCost& cost() const noexcept { return cost_; }

 private:
  friend class GraphAdmission;
  ValidatedModel(GraphBundle bundle, std::vector<WeightPiece> weights,
                 std::vector<ByteVector> converted, ModelCost cost)
      : bundle_(std::move(bundle)),
        weights_(std::move(weights)),
        converted_(std::move(converted)),
        cost_(cost) {}
  GraphBundle bundle_;
  std::vector<WeightPiece> weights_;
  std::vector<ByteVector> converted_;  // what some pieces point into; moving keeps it in place
  ModelCost cost_;
};

/// One reason why a model is refused. Texts may quote the model: they go to its uploader only.
struct Finding {
  std::string rule;    ///< stable id, `external-data` and so on: docs/admission.md
  std::string where;   ///< `graph.node[3] "conv1" attribute "value"`
  std::string remedy;  ///< what to change
};

}  // namespace cloister
