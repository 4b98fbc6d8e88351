#include <algorithm>
#include <queue>
#include <string>
#include <utility>

#include "graph/limits.h"
#include "graph/rules/rules.h"

namespace cloister {
namespace {

constexpr std::size_t kNoNode = SIZE_MAX;

enum class DefinedAs : std::uint8_t { input, initializer, node };

struct Definition {
  std::string_view name;
  std::size_t node = kNoNode;  // that makes it
  DefinedAs as = DefinedAs::node;
};

/// The names of one graph or function body, and the ones around it.
struct Scope {
  Scope* outer = nullptr;
  std::vector<Definition> definitions;  // by name
  std::size_t current = kNoNode;        // the node whose inputs or subgraphs are looked at
  std::vector<std::pair<std::size_t, std::size_t>> edges;  // maker, user

  const Definition* find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(
        definitions.begin(), definitions.end(), name,
        [](const Definition& one, std::string_view wanted) { return one.name < wanted; });
    return at != definitions.end() && at->name == name ? &*at : nullptr;
  }
};

/// Finds `name` here or further out, and notes which node needs which.
bool use(Scope& from, std::string_view name) {
  for (Scope* scope = &from; scope != nullptr; scope = scope->outer) {
    const Definition* definition = scope->find(name);
    if (definition == nullptr) continue;
    if (definition->node != kNoNode) scope->edges.emplace_back(definition->node, scope->current);
    return true;
  }
  return false;
}

class StructureCheck {
 public:
  StructureCheck(const OperatorTable& table, FindingList& findings)
      : table_(table), findings_(findings) {}
  void check(Model& model);

 private:
  void graph(Graph& graph, Scope* outer, const OperatorScope& operators, const Where& where);
  void function(Function& function, const OperatorScope& operators, const Where& where);
  void nodes(std::vector<Node>& nodes, Scope& scope, const OperatorScope& operators,
             const Where& where);
  void order(std::vector<Node>& nodes, Scope& scope, const Where& where);
  void settle(Scope& scope, bool inputs_have_defaults, const Where& where);
  void add(Scope& scope, Definition definition, const Where& where);

  const OperatorTable& table_;
  FindingList& findings_;
};

void StructureCheck::add(Scope& scope, Definition definition, const Where& where) {
  if (definition.name.empty()) {
    findings_.add("name-empty", where, "name every input, output and initializer");
    return;
  }
  scope.definitions.push_back(definition);
}

/// Sorts the names, and finds those that stand twice or hide one further out.
void StructureCheck::settle(Scope& scope, bool inputs_have_defaults, const Where& where) {
  auto& all = scope.definitions;
  std::stable_sort(all.begin(), all.end(),
                   [](const Definition& a, const Definition& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].name == all[i - 1].name) {
      const bool default_value = inputs_have_defaults && all[i - 1].as == DefinedAs::input &&
                                 all[i].as == DefinedAs::initializer;
      if (!default_value) {
        findings_.add("name-duplicate", where,
                      quoted(all[i].name) + " is defined more than once; names must be unique");
      }
    }
    for (const Scope* outer = scope.outer; outer != nullptr; outer = outer->outer) {
      if (outer->find(all[i].name) == nullptr) continue;
      findings_.add("name-shadowed", where,
                    quoted(all[i].name) + " has the name of a value of an outer graph; rename it");
      break;
    }
  }
}

void StructureCheck::nodes(std::vector<Node>& nodes, Scope& scope,
                           const OperatorScope& operators, const Where& where) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node& node = nodes[i];
    const Where at{&where, "node", static_cast<std::int64_t>(i),
                   node.name.empty() ? node.op_type : node.name};
    scope.current = i;
    check_node(node, operators, at, findings_);
    for (const std::string_view input : node.inputs) {
      if (input.empty() || use(scope, input)) continue;
      findings_.add("name-undefined", at,
                    "input " + quoted(input) + " is not defined by the graph");
    }
    for (Attribute& attribute : node.attributes) {
      if (!attribute.content) continue;
      const Where inside{&at, "attribute", -1, attribute.name};
      for (Graph& subgraph : attribute.content->graphs) {
        graph(subgraph, &scope, operators, inside);
      }
    }
  }
  order(nodes, scope, where);
}

/// Leaves the nodes as they are when each stands after those it needs; else sorts them so.
void StructureCheck::order(std::vector<Node>& nodes, Scope& scope, const Where& where) {
  auto& edges = scope.edges;
  const bool sorted = std::all_of(edges.begin(), edges.end(),
                                  [](const auto& edge) { return edge.first < edge.second; });
  if (sorted) return;
  std::sort(edges.begin(), edges.end());
  std::vector<std::size_t> waiting(nodes.size(), 0);
  for (const auto& [maker, user] : edges) ++waiting[user];
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> sequence;
  while (!ready.empty()) {
    const std::size_t maker = ready.top();
    ready.pop();
    sequence.push_back(maker);
    const auto first = std::lower_bound(edges.begin(), edges.end(), std::make_pair(maker, 0UL));
    for (auto edge = first; edge != edges.end() && edge->first == maker; ++edge) {
      if (--waiting[edge->second] == 0) ready.push(edge->second);
    }
  }
  if (sequence.size() != nodes.size()) {
    findings_.add("graph-cycle", where,
                  std::to_string(nodes.size() - sequence.size()) +
                      " nodes need each other's results, or follow ones that do");
    return;
  }
  std::vector<Node> in_order;
  in_order.reserve(nodes.size());
  for (const std::size_t index : sequence) in_order.push_back(std::move(nodes[index]));
  nodes = std::move(in_order);
}

void StructureCheck::graph(Graph& graph, Scope* outer, const OperatorScope& operators,
                           const Where& where) {
  Scope scope;
  scope.outer = outer;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const Where at{&where, "input", static_cast<std::int64_t>(i)};
    add(scope, {graph.inputs[i].name, kNoNode, DefinedAs::input}, at);
  }
  for (std::size_t i = 0; i < graph.initializers.size(); ++i) {
    const Tensor& tensor = graph.initializers[i];
    const Where at{&where, "initializer", static_cast<std::int64_t>(i), tensor.name};
    add(scope, {tensor.name, kNoNode, DefinedAs::initializer}, at);
    check_tensor(tensor, at, findings_);
  }
  for (std::size_t i = 0; i < graph.sparse_initializers.size(); ++i) {
    const SparseTensor& sparse = graph.sparse_initializers[i];
    const Where at{&where, "sparse_initializer", static_cast<std::int64_t>(i),
                   sparse.values.name};
    add(scope, {sparse.values.name, kNoNode, DefinedAs::initializer}, at);
    check_sparse_tensor(sparse, at, findings_);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string_view output : graph.nodes[i].outputs) {
      if (!output.empty()) scope.definitions.push_back({output, i, DefinedAs::node});
    }
  }
  settle(scope, outer == nullptr, where);
  nodes(graph.nodes, scope, operators, where);
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const Where at{&where, "output", static_cast<std::int64_t>(i), graph.outputs[i].name};
    if (scope.find(graph.outputs[i].name) != nullptr) continue;
    findings_.add("name-undefined", at,
                  outer == nullptr ? "no node of the graph makes this output"
                                   : "no node of the subgraph makes this output; pass a value of "
                                     "an outer graph on through an Identity node");
  }
}

void StructureCheck::function(Function& function, const OperatorScope& operators,
                              const Where& where) {
  Scope scope;
  for (const std::string_view input : function.inputs) {
    add(scope, {input, kNoNode, DefinedAs::input}, where);
  }
  for (std::size_t i = 0; i < function.nodes.size(); ++i) {
    for (const std::string_view output : function.nodes[i].outputs) {
      if (!output.empty()) scope.definitions.push_back({output, i, DefinedAs::node});
    }
  }
  settle(scope, false, where);
  OperatorScope outside = operators;  // a default has no attribute to refer to
  outside.in_function = false;
  check_attributes(function.defaults, outside, where, findings_);
  for (const Attribute& attribute : function.defaults) {
    if (!attribute.content || attribute.content->graphs.empty()) continue;
    const Where at{&where, "attribute", -1, attribute.name};
    findings_.add("function-attribute", at, "a default may not be a graph");
  }
  nodes(function.nodes, scope, operators, where);
  for (const std::string_view output : function.outputs) {
    if (scope.find(output) != nullptr) continue;
    findings_.add("name-undefined", where, "no node makes the output " + quoted(output));
  }
}

void StructureCheck::check(Model& model) {
  const FunctionIndex functions(model.functions);
  const ImportIndex imports(model.imports);
  OperatorScope operators{&table_, &imports, &functions, false};
  const Where main{nullptr, "graph"};
  graph(model.graph, nullptr, operators, main);
  operators.in_function = true;
  for (std::size_t i = 0; i < model.functions.size(); ++i) {
    const Where at{nullptr, "function", static_cast<std::int64_t>(i), model.functions[i].name};
    const ImportIndex own(model.functions[i].imports);
    operators.imports = &own;
    function(model.functions[i], operators, at);
  }
}

}  // namespace

void check_structure(Model& model, const OperatorTable& table, FindingList& findings) {
  StructureCheck(table, findings).check(model);
}

}  // namespace cloister
