#include "graph/cost/cost.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/cost/inference.h"
#include "graph/cost/shaped.h"
#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/attributes.h"
#include "graph/rules/rules.h"

namespace cloister {
namespace {

/// What is known of the values of one graph, and of those around it.
struct Values {
  const Values* outer = nullptr;
  std::map<std::string_view, Shaped> known;

  const Shaped* find(std::string_view name) const {
    for (const Values* values = this; values != nullptr; values = values->outer) {
      const auto at = values->known.find(name);
      if (at != values->known.end()) return &at->second;
    }
    return nullptr;
  }
};

/// What may be computed while a model of that size loads. A short file may not make a large model;
/// one as long as networks are whose weights are all made by nodes may.
std::uint64_t folded_bytes_max(std::uint64_t file_bytes) noexcept {
  const std::uint64_t grown = saturating_add(
      kFoldedBytesMin, saturating_multiply(kFoldedBytesForEach, file_bytes));
  return std::max(std::min(grown, kFoldedBytesMax), saturating_multiply(4, file_bytes));
}

class CostWalk {
 public:
  CostWalk(const Model& model, std::uint64_t file_bytes, const AdmissionBudget& budget,
           FindingList& findings)
      : model_(model),
        imports_(model.imports),
        folded_max_(folded_bytes_max(file_bytes)),
        budget_(budget),
        findings_(findings) {}
  ModelCost measure();

 private:
  std::vector<Shaped> graph(const Graph& graph, const Values* outer,
                            const std::vector<Shaped>& inputs, const Where& where);
  void node(const Node& node, Values& values, const Where& where);
  std::vector<Shaped> infer(const Call& call, const Values& values, const Where& where);
  std::vector<Shaped> branches(const Call& call, const Values& values, const Where& where);
  std::vector<Shaped> loop(const Call& call, const Values& values, const Where& where);
  std::vector<Shaped> scan(const Call& call, const Values& values, const Where& where);
  std::vector<Shaped> repeated(const Graph& body, std::vector<Shaped> inputs, std::size_t first,
                               std::size_t states, std::int64_t trips, const Values& values,
                               const Where& where);
  void count(const Shaped& made, const Where& where);
  void work(std::uint64_t multiply_adds, const Where& where);
  void give_up() { cost_.bounded = false; }
  /// Whether as much more work may be spent; past kInferenceStepsMax nothing is known any more.
  bool step(std::uint64_t steps) {
    steps_ = saturating_add(steps_, steps);
    if (steps_ > kInferenceStepsMax) give_up();
    return steps_ <= kInferenceStepsMax;
  }

  const Model& model_;
  ImportIndex imports_;
  std::uint64_t folded_max_;
  AdmissionBudget budget_;
  FindingList& findings_;
  ModelCost cost_{.bounded = true};
  std::uint64_t folded_bytes_ = 0;
  std::uint64_t trips_ = 1;  // of all loops around
  std::uint64_t steps_ = 0;
  std::uint64_t dimensions_ = 0;
  bool reported_ = false;
};

Shaped declared(const Value& value) {
  Shaped result = unknown(value.type.element);
  if (value.type.kind != ValueType::Kind::tensor || !value.type.has_shape) return result;
  result.rank_known = true;
  for (const Dimension& dimension : value.type.shape) {
    const bool known = dimension.kind == Dimension::Kind::value && dimension.value >= 0;
    result.dims.push_back(known ? dimension.value : kOpen);
  }
  return result;
}

const Graph* subgraph(const Node& node, std::string_view name) {
  const Attribute* attribute = find_attribute(node, name);
  const bool there = attribute != nullptr && attribute->content &&
                     attribute->content->graphs.size() == 1;
  return there ? &attribute->content->graphs[0] : nullptr;
}

/// Adds what a node makes to the sums; past a budget it says so once.
void CostWalk::count(const Shaped& made, const Where& where) {
  if (!is_closed(made)) give_up();
  const std::uint64_t size = saturating_multiply(bytes(made), trips_);
  cost_.activation_bytes = saturating_add(cost_.activation_bytes, size);
  if (made.constant) folded_bytes_ = saturating_add(folded_bytes_, size);
  if (reported_) return;
  const bool large = cost_.activation_bytes > budget_.activation_bytes_max;
  const bool folded = folded_bytes_ > folded_max_;
  if (!large && !folded) return;
  reported_ = true;
  if (large) {
    findings_.add("cost-activations", where,
                  "from here on one run needs more than " +
                      std::to_string(budget_.activation_bytes_max) + " bytes for its values");
    return;
  }
  findings_.add("cost-constants", where,
                "values that never change grow past " + std::to_string(folded_max_) +
                    " bytes here; make them from the inputs, or store the result");
}

void CostWalk::work(std::uint64_t multiply_adds, const Where& where) {
  const std::uint64_t before = cost_.multiply_adds;
  cost_.multiply_adds = saturating_add(before, saturating_multiply(multiply_adds, trips_));
  if (before > budget_.multiply_adds_max || cost_.multiply_adds <= budget_.multiply_adds_max) {
    return;
  }
  findings_.add("cost-multiply-adds", where,
                "from here on one run needs more than " +
                    std::to_string(budget_.multiply_adds_max) + " multiply-adds");
}

std::vector<Shaped> CostWalk::branches(const Call& call, const Values& values,
                                       const Where& where) {
  std::vector<Shaped> result;
  bool first = true;
  for (const char* name : {"then_branch", "else_branch"}) {
    const Graph* branch = subgraph(*call.node, name);
    if (branch == nullptr) continue;
    std::vector<Shaped> made = graph(*branch, &values, {}, where);
    if (std::exchange(first, false)) {
      result = std::move(made);
      continue;
    }
    for (std::size_t i = 0; i < result.size(); ++i) {
      if (i < made.size() && result[i].dims == made[i].dims && is_closed(result[i])) continue;
      result[i] = unknown(result[i].type);
    }
  }
  for (Shaped& one : result) {
    one.constant = false;
    one.values.clear();
  }
  return result;
}

/// Runs a body whose inputs from `first` on are `states` values that its outputs become again. A
/// state that changes its shape from one iteration to the next is not known.
std::vector<Shaped> CostWalk::repeated(const Graph& body, std::vector<Shaped> inputs,
                                       std::size_t first, std::size_t states, std::int64_t trips,
                                       const Values& values, const Where& where) {
  for (Shaped& input : inputs) {
    input.constant = false;
    input.values.clear();
  }
  if (trips == kOpen) give_up();
  const std::uint64_t around = trips_;
  trips_ = saturating_multiply(trips_, trips == kOpen ? 1 : static_cast<std::uint64_t>(trips));
  const ModelCost before = cost_;
  std::vector<Shaped> made = graph(body, &values, inputs, where);
  const std::size_t lead = first == 0 ? 0 : 1;  // a loop's condition comes before its states
  bool steady = true;
  for (std::size_t i = 0; i < states && lead + i < made.size(); ++i) {
    Shaped& state = inputs[first + i];
    if (made[lead + i].dims == state.dims && made[lead + i].rank_known == state.rank_known) {
      continue;
    }
    steady = false;
    state = unknown(state.type);
  }
  if (!steady && findings_.empty()) {
    cost_ = before;
    made = graph(body, &values, inputs, where);
  }
  trips_ = around;
  std::vector<Shaped> result;
  for (std::size_t i = lead; i < made.size(); ++i) {
    Shaped one = made[i];
    one.constant = false;
    one.values.clear();
    if (i >= lead + states && one.rank_known) one.dims.insert(one.dims.begin(), trips);
    if (!steady && i < lead + states) one = unknown(one.type);
    result.push_back(std::move(one));
  }
  return result;
}

std::vector<Shaped> CostWalk::loop(const Call& call, const Values& values, const Where& where) {
  const Graph* body = subgraph(*call.node, "body");
  if (body == nullptr) return {};
  const auto most = call.has(0) ? call.list(0) : std::nullopt;
  const bool known = most && most->size() == 1;
  const std::int64_t trips = known ? std::max<std::int64_t>((*most)[0], 0) : kOpen;
  std::vector<Shaped> inputs{shaped(ElementType::i64, {}), shaped(ElementType::boolean, {})};
  const std::size_t states = call.inputs.size() < 2 ? 0 : call.inputs.size() - 2;
  for (std::size_t i = 0; i < states; ++i) inputs.push_back(call.input(i + 2));
  return repeated(*body, std::move(inputs), 2, states, trips, values, where);
}

std::vector<Shaped> CostWalk::scan(const Call& call, const Values& values, const Where& where) {
  const Graph* body = subgraph(*call.node, "body");
  const auto scanned = static_cast<std::uint64_t>(
      std::max<std::int64_t>(integer_attribute(*call.node, "num_scan_inputs", 0), 0));
  const bool plain = call.opset > 8 && find_attribute(*call.node, "scan_input_axes") == nullptr &&
                     find_attribute(*call.node, "scan_output_axes") == nullptr;
  if (body == nullptr || scanned == 0 || scanned > call.inputs.size()) return {};
  const std::size_t states = call.inputs.size() - scanned;
  std::vector<Shaped> inputs;
  std::int64_t trips = kOpen;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    Shaped input = call.input(i);
    if (i >= states) {
      const bool usable = plain && input.rank_known && !input.dims.empty();
      if (usable && trips == kOpen) trips = input.dims[0];
      if (usable) input.dims.erase(input.dims.begin());
      else input = unknown(input.type);
    }
    inputs.push_back(std::move(input));
  }
  return repeated(*body, std::move(inputs), 0, states, trips, values, where);
}

std::vector<Shaped> CostWalk::infer(const Call& call, const Values& values, const Where& where) {
  const std::string_view name = call.node->op_type;
  if (call.node->domain.empty()) {
    if (name == "If") return branches(call, values, where);
    if (name == "Loop") return loop(call, values, where);
    if (name == "Scan") return scan(call, values, where);
  }
  for (const auto rule : {infer_elementwise, infer_layout, infer_layer, infer_made,
                          infer_indexed}) {
    auto inferred = rule(call);
    if (!inferred) continue;
    work(inferred->multiply_adds, where);
    return std::move(inferred->outputs);
  }
  return {};
}

void CostWalk::node(const Node& node, Values& values, const Where& where) {
  Call call;
  call.node = &node;
  call.opset = imports_.version(node.domain);
  // What depends on no input is computed while the model loads.
  bool constant = !node.op_type.starts_with("Random") && node.op_type != "Bernoulli";
  for (const std::string_view input : node.inputs) {
    const Shaped* known = input.empty() ? nullptr : values.find(input);
    call.inputs.push_back(known);
    constant = constant && (input.empty() || (known != nullptr && known->constant));
  }
  std::vector<Shaped> made;
  if (step(1 + node.inputs.size() + node.outputs.size())) made = infer(call, values, where);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    Shaped one = i < made.size() ? std::move(made[i]) : Shaped{};
    // The rank can double at every node: neither we nor the runtime follow it far.
    if (one.dims.size() > kRankMax) {
      findings_.add("cost-rank", where,
                    "values have at most " + std::to_string(kRankMax) + " dimensions");
      one = unknown(one.type);
    }
    dimensions_ += one.dims.size();
    if (dimensions_ > kInferredDimensionsMax) one = unknown(one.type);
    one.constant = constant;
    if (one.values.size() > kFollowedValuesMax) one.values.clear();
    if (node.op_type != "Constant" && node.op_type != "Identity") one.reals.clear();
    work(elements(one), where);
    count(one, where);
    values.known[node.outputs[i]] = std::move(one);
  }
}

std::vector<Shaped> CostWalk::graph(const Graph& graph, const Values* outer,
                                    const std::vector<Shaped>& inputs, const Where& where) {
  if (!step(graph.inputs.size() + graph.initializers.size() +
            graph.sparse_initializers.size() + graph.outputs.size())) {
    return {};
  }
  Values values;
  values.outer = outer;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const bool given = outer != nullptr;
    values.known[graph.inputs[i].name] =
        !given                ? declared(graph.inputs[i])
        : i < inputs.size() ? inputs[i]
                              : unknown(ElementType::undefined);
  }
  for (const Tensor& tensor : graph.initializers) {
    // A default that a request may replace has the declared shape, not the default's.
    const auto [at, added] = values.known.try_emplace(tensor.name, Shaped{});
    if (added) at->second = shaped_tensor(tensor);
  }
  for (const SparseTensor& sparse : graph.sparse_initializers) {
    Shaped dense = shaped(sparse.values.type, {});
    dense.dims.assign(sparse.dims.begin(), sparse.dims.end());
    dense.constant = true;
    values.known.try_emplace(sparse.values.name, std::move(dense));
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& one = graph.nodes[i];
    const Where at{&where, "node", static_cast<std::int64_t>(i),
                   one.name.empty() ? one.op_type : one.name};
    node(one, values, at);
  }
  std::vector<Shaped> outputs;
  for (const Value& output : graph.outputs) {
    const Shaped* known = values.find(output.name);
    outputs.push_back(known == nullptr ? Shaped{} : *known);
  }
  return outputs;
}

ModelCost CostWalk::measure() {
  for (const Tensor& tensor : model_.graph.initializers) {
    cost_.parameters += element_count(tensor).value_or(0);
  }
  cost_.nodes = model_.graph.nodes.size();
  const Where main{nullptr, "graph"};
  graph(model_.graph, nullptr, {}, main);
  return cost_;
}

}  // namespace

ModelCost measure_cost(const Model& model, std::uint64_t file_bytes,
                       const AdmissionBudget& budget, FindingList& findings) {
  return CostWalk(model, file_bytes, budget, findings).measure();
}

}  // namespace cloister
