#pragma once

#include "graph/findings.h"
#include "graph/onnx/proto.h"
#include "model/model.h"

namespace cloister {

/// What the main graph takes and gives. Inputs and outputs that are no tensors of the protocol's
/// types are findings: `signature-type`.
Signature signature_of(const Graph& graph, FindingList& findings);

}  // namespace cloister
