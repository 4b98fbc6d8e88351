#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "graph/admission.h"
#include "observe/events.h"
#include "support/onnx_writer.h"
#include "vault/vault.h"

namespace cloister {

class NoEvents final : public EventSink {
 public:
  void record(const Event&) noexcept override {}
};

class NoOutputs final : public RunOutputs {
 public:
  const std::vector<NamedTensorView>& tensors() const noexcept override { return tensors_; }

 private:
  std::vector<NamedTensorView> tensors_;
};

inline constexpr std::uint64_t kProductWeights = 64 * 64 * 4;

/// y = x w with 64 by 64 floats; x has so many rows, or any number where that is -1.
inline ByteVector product_upload(std::int64_t rows) {
  const std::string weights(kProductWeights, 'w');
  return onnx_model({{onnx_node("MatMul", {"x", "w"}, {"y"})},
                     {onnx_tensor("w", OnnxType::f32, {64, 64}, weights)},
                     {onnx_value("x", OnnxType::f32, {rows, 64})},
                     {onnx_value("y", OnnxType::f32, {rows, 64})}});
}

/// `upload`, admitted and sealed, and not committed yet.
inline std::unique_ptr<StagedVersion> stage_upload(Vault& vault, const GraphAdmission& admission,
                                                   const VersionRef& ref, Bytes upload) {
  const AdmissionVerdict verdict = admission.admit(upload);
  const auto& model = std::get<ValidatedModel>(verdict);
  VersionRecord record;
  record.ref = ref;
  record.signature = model.bundle().signature;
  record.cost = model.cost();
  return vault.stage(std::move(record), model).value();
}

}  // namespace cloister
