#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "model/validated_model.h"

namespace cloister {

struct Model;
class OperatorTable;

/// What admission spends at most on one model; defaults are in docs/admission.md with reasons.
struct AdmissionBudget {
  std::uint64_t model_bytes_max = 2ULL << 30;
  std::uint64_t activation_bytes_max = 16ULL << 30;
  std::uint64_t multiply_adds_max = 1ULL << 44;
};

/// Accepted, or every reason why not (never empty).
using AdmissionVerdict = std::variant<ValidatedModel, std::vector<Finding>>;

/// The only maker of ValidatedModel. Reads `upload` (a serialised ONNX ModelProto, hostile) in
/// place, checks it and re-encodes it canonically; the verdict's weight pieces point into `upload`,
/// which must outlive them. Work and memory beside `upload` are bounded.
class GraphAdmission {
 public:
  explicit GraphAdmission(AdmissionBudget budget);
  AdmissionVerdict admit(Bytes upload) const;
  /// The same for what an optimiser made of `original`, in a process that hostile code may own: the
  /// same checks and budget, with the runtime's internal operators listed too. Refused as well:
  /// other inputs or outputs (`optimised-signature`), and more than about twice the original's
  /// bytes (`optimised-size`).
  AdmissionVerdict admit_optimised(Bytes optimised, const GraphBundle& original) const;

 private:
  AdmissionVerdict accept(const Model& model, Signature signature, std::uint64_t file_bytes) const;

  AdmissionBudget budget_;
  std::shared_ptr<const OperatorTable> public_operators_;
  std::shared_ptr<const OperatorTable> all_operators_;
};

}  // namespace cloister
