#pragma once

#include <cstdint>
#include <string_view>
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

/// The functions of a model by what calls them. `functions` must outlive it.
class FunctionIndex {
 public:
  explicit FunctionIndex(const std::vector<Function>& functions);

  /// The function of that name, the first where there are several; null when there is none.
  const Function* find(std::string_view domain, std::string_view name,
                       std::string_view overload) const noexcept;
  /// The function that a node calls; null when it is an operator's.
  const Function* called_by(const Node& node) const noexcept {
    return find(node.domain, node.op_type, node.overload);
  }

 private:
  std::vector<const Function*> sorted_;
};

/// The versions that a model or a function imports, by domain. `imports` must outlive it.
class ImportIndex {
 public:
  explicit ImportIndex(const std::vector<OpsetImport>& imports);

  /// The version of a domain, the first where it is imported twice; 0 where it is not.
  std::int64_t version(std::string_view domain) const noexcept;

 private:
  std::vector<const OpsetImport*> sorted_;
};

/// What the nodes of one graph or function body may use.
struct OperatorScope {
  const OperatorTable* table = nullptr;
  const ImportIndex* imports = nullptr;
  const FunctionIndex* functions = nullptr;
  bool in_function = false;
};

/// Checks attributes, a node's or a function's defaults, without what they mean: each has a name of
/// its own and one value, of the kind that its type says, and the tensors in it hold. What reads an
/// attribute's content later relies on this.
void check_attributes(const std::vector<Attribute>& attributes, const OperatorScope& scope,
                      const Where& where, FindingList& findings);

/// Checks one node without what surrounds it: operator, number of inputs and outputs, attributes
/// and the tensors in them. Subgraphs are left to check_structure.
void check_node(const Node& node, const OperatorScope& scope, const Where& where,
                FindingList& findings);

/// Checks every graph and function body: names, single assignment, scopes, cycles, and everything
/// above for each part. Sorts the nodes of a graph whose order is not one in which they can run.
void check_structure(Model& model, const OperatorTable& table, FindingList& findings);

/// Checks that functions are unique, do not call themselves over any number of steps, and do not
/// grow past kInlinedNodesMax when each call is replaced by its body.
void check_functions(const Model& model, const OperatorTable& table, FindingList& findings);

}  // namespace cloister
