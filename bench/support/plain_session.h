#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace cloister {

/// ONNX Runtime as anybody uses it: a session from a file, default settings but for one thread.
/// Failures end the program.
class PlainSession {
 public:
  /// `optimise`: the runtime's default; without, the file is taken as optimised already, and
  /// weights are not brought into another layout.
  PlainSession(const std::string& path, bool optimise);
  ~PlainSession();
  PlainSession(const PlainSession&) = delete;
  PlainSession& operator=(const PlainSession&) = delete;
  /// Computes `outputs`, which stand in the runtime's memory until the next call.
  void compute(const std::vector<NamedTensorView>& inputs,
               const std::vector<std::string>& outputs);
  /// What the output at `index` of the last call holds.
  Bytes values(std::size_t index) const;
  /// The values of `output`, which must be float32.
  std::vector<float> run(const std::vector<NamedTensorView>& inputs, const std::string& output);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
