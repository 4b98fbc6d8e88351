#include <algorithm>
#include <string>

#include "graph/limits.h"
#include "graph/rules/rules.h"

namespace cloister {
namespace {

/// Walks calls from function to function, each function once, and counts the nodes that a body has
/// when every call in it is replaced.
class CallWalk {
 public:
  CallWalk(const std::vector<Function>& functions, const FunctionIndex& index,
           FindingList& findings)
      : functions_(functions), index_(index), findings_(findings), states_(functions.size()) {}

  std::uint64_t expanded(const std::vector<Node>& nodes, std::size_t depth) {
    std::uint64_t total = nodes.size();
    for (const Node& node : nodes) {
      if (const Function* called = index_.called_by(node)) {
        total = std::min(total + body(*called, depth + 1), kInlinedNodesMax + 1);
      }
      for (const Attribute& attribute : node.attributes) {
        if (!attribute.content) continue;
        for (const Graph& graph : attribute.content->graphs) {
          total = std::min(total + expanded(graph.nodes, depth), kInlinedNodesMax + 1);
        }
      }
    }
    return total;
  }

  std::uint64_t body(const Function& function, std::size_t depth) {
    const auto index = static_cast<std::size_t>(&function - functions_.data());
    State& state = states_[index];
    const Where where{nullptr, "function", static_cast<std::int64_t>(index), function.name};
    if (state.entered) {
      findings_.add("function-recursion", where, "a function may not call itself");
      return 0;
    }
    if (state.finished) return state.nodes;
    if (depth > kFunctionNestingMax) {
      findings_.add("limit-function-nesting", where,
                    "calls go deeper than " + std::to_string(kFunctionNestingMax));
      return 0;
    }
    state.entered = true;
    state.nodes = expanded(function.nodes, depth);
    state.entered = false;
    state.finished = true;
    return state.nodes;
  }

 private:
  struct State {
    bool entered = false;
    bool finished = false;
    std::uint64_t nodes = 0;
  };
  const std::vector<Function>& functions_;
  const FunctionIndex& index_;
  FindingList& findings_;
  std::vector<State> states_;
};

}  // namespace

void check_functions(const Model& model, const OperatorTable& table, FindingList& findings) {
  const FunctionIndex index(model.functions);
  for (std::size_t i = 0; i < model.functions.size(); ++i) {
    const Function& function = model.functions[i];
    const Where where{nullptr, "function", static_cast<std::int64_t>(i), function.name};
    if (function.name.empty()) findings.add("name-empty", where, "name the function");
    if (table.knows(function.domain, function.name)) {
      findings.add("function-name", where,
                   "it has the name of an operator; give it a domain of its own");
    }
    if (index.find(function.domain, function.name, function.overload) != &function) {
      findings.add("name-duplicate", where, "functions must be unique");
    }
  }
  CallWalk walk(model.functions, index, findings);
  std::uint64_t nodes = walk.expanded(model.graph.nodes, 0);
  for (const Function& function : model.functions) {
    nodes = std::max(nodes, walk.body(function, 1));
  }
  if (nodes > kInlinedNodesMax) {
    findings.add("limit-inlined-nodes", Where{nullptr, "model"},
                 "with every function call replaced by its body there are more than " +
                     std::to_string(kInlinedNodesMax) + " nodes");
  }
}

}  // namespace cloister
