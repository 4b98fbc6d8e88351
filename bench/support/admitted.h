#pragma once

#include <string>
#include <vector>

#include "model/model.h"
#include "secret/private_memory.h"

namespace cloister {

/// A model of the suite as an upload leaves it: the canonical graph and the weights segment.
struct Admitted {
  GraphBundle bundle;
  PrivateMemory weights;  ///< at least one byte
};

/// Reads and admits the ONNX file at `path`. A failure ends the program.
Admitted admit_file(const std::string& path);

/// Inputs of `signature`, open extents 1, and their memory: small numbers that vary, so that no
/// kernel meets only zeros; integers are 1.
struct Inputs {
  std::vector<ByteVector> memory;
  std::vector<NamedTensorView> views;
};
Inputs inputs_of(const Signature& signature);

}  // namespace cloister
