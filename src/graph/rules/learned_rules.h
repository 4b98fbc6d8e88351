#pragma once

#include "graph/findings.h"
#include "graph/onnx/proto.h"

namespace cloister {

// Operators of ai.onnx.ml hold their whole model in lists that point into each other, and the
// runtime believes them. Attributes, their kinds and those required were checked before.

/// Tree ensembles: lists as long as each other, children and votes that point to nodes, every node
/// in one tree, no cycles (`tree-structure`).
void check_trees(const Node& node, const Where& where, FindingList& findings);

/// Support vector machines and linear models: lists whose lengths fit each other
/// (`learned-size`).
void check_learned(const Node& node, const Where& where, FindingList& findings);

}  // namespace cloister
