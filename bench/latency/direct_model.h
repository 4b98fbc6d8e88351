#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"

namespace cloister {

/// A model with a ResNet-50's input and output, float32 [1,3,224,224] to [1,1000], that computes
/// almost nothing: pooling, then a product of 3 by 1000. Names as in bench/suite: `input` and
/// `output`.
ByteVector cheap_model();

/// ONNX Runtime called directly, by its C interface: one session over a model's bytes, one thread,
/// one float32 input and output. Failures end the program.
class DirectModel {
 public:
  explicit DirectModel(Bytes model);
  ~DirectModel();
  /// Runs once on [1,3,224,224] and returns the thousand results, valid until the next run.
  std::span<const float> run(std::span<const float> image);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
