#pragma once

#include <vector>

#include "graph/findings.h"
#include "graph/onnx/proto.h"
#include "graph/rules/operators.h"

namespace cloister {

// The checks of admission, in the order in which they run. Each adds what it finds and goes on.
// docs/admission.md lists the rules.

/// Checks one tensor: nothing outside the file, type, extents, and that the bytes that are there
/// are as many as type and shape say.
void check_tensor(const Tensor& tensor, const Where& where, FindingList& findings);
void check_sparse_tensor(const SparseTensor& sparse, const Where& where, FindingList& findings);

/// Checks versions and imports of the model.
void check_header(const Model& model, FindingList& findings);

/// What the nodes of one graph or function body may use.
struct OperatorScope {
  const OperatorTable* table = nullptr;
  const std::vector<OpsetImport>* imports = nullptr;
  const std::vector<Function>* functions = nullptr;
  bool in_function = false;
};

/// Checks one node without what surrounds it: operator, number of inputs and outputs, attributes
/// and the tensors in them. Subgraphs are left to check_structure.
void check_node(const Node& node, const OperatorScope& scope, const Where& where,
                FindingList& findings);

/// The function that a node calls; null when it is an operator's.
const Function* called_function(const Node& node, const std::vector<Function>& functions) noexcept;

/// Checks every graph and function body: names, single assignment, scopes, cycles, and everything
/// above for each part. Sorts the nodes of a graph whose order is not one in which they can run.
void check_structure(Model& model, const OperatorTable& table, FindingList& findings);

/// Checks that functions are unique, do not call themselves over any number of steps, and do not
/// grow past kInlinedNodesMax when each call is replaced by its body.
void check_functions(const Model& model, const OperatorTable& table, FindingList& findings);

}  // namespace cloister
