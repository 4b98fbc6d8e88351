#pragma once

#include <cstdint>

#include "graph/admission.h"
#include "graph/findings.h"
#include "graph/onnx/proto.h"
#include "model/validated_model.h"

namespace cloister {

/// What one run of a checked model costs, from the shapes that follow from its inputs. Activations
/// are the sum of every value that a node makes, as if none were freed; multiply-adds count one for
/// each element of those, and the products of layers. `bounded` is false as soon as an extent, a
/// number of iterations or an operator is not known; the sums then hold for open extents of 1 and
/// single iterations.
/// Findings: `cost-activations` and `cost-multiply-adds` past the budget, at the node that passes
/// it; `cost-constants` where values that are the same in every run, and which the runtime computes
/// while it loads, grow past what the file's size allows: see kFoldedBytesMax.
ModelCost measure_cost(const Model& model, std::uint64_t file_bytes,
                       const AdmissionBudget& budget, FindingList& findings);

}  // namespace cloister
