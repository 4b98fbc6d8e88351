#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/ort/ort_runtime.h"
#include "support/admitted.h"

namespace cloister {

/// Bytes in enclave memory; what they hold at first is not said.
class EnclaveBytes {
 public:
  explicit EnclaveBytes(std::size_t count);
  std::span<std::byte> all() noexcept { return {start_.get(), count_}; }
  Bytes all() const noexcept { return {start_.get(), count_}; }

 private:
  std::unique_ptr<std::byte[]> start_;
  std::size_t count_;
};

/// The content of `path`, brought into enclave memory through a buffer outside, as an enclave's
/// calls to the host do. A failure ends the program.
EnclaveBytes read_into_enclave(const std::string& path);

/// ONNX Runtime with its default settings and one thread, a session over a model's bytes, its
/// inputs and its outputs: all of it, the runtime's own objects included, in enclave memory.
/// Failures end the program.
class EnclaveModel {
 public:
  /// Opens the runtime, which stays open until the process ends.
  static std::shared_ptr<const OrtRuntime> open_runtime();
  EnclaveModel(std::shared_ptr<const OrtRuntime> runtime, const EnclaveBytes& model,
               const Signature& signature);
  ~EnclaveModel();
  /// One run on the same inputs each time. Returns a sum over the outputs' bytes.
  std::uint64_t run();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloister
