#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/attributes.h"
#include "graph/rules/forest.h"
#include "graph/rules/learned_rules.h"

namespace cloister {
namespace {

using Fault = std::optional<std::string>;

/// (tree << 32 | node) of each entry; nothing where a number is negative or past 32 bits.
std::optional<std::vector<std::uint64_t>> keys_of(const Attribute& trees, const Attribute& nodes) {
  std::vector<std::uint64_t> keys;
  keys.reserve(trees.values.count);
  bool fits = true;
  for_each_number(trees.values, 0, [&](std::uint64_t id) {
    fits = fits && id < UINT32_MAX;
    keys.push_back(id << 32);
  });
  auto key = keys.begin();
  for_each_number(nodes.values, 0, [&](std::uint64_t id) {
    fits = fits && id < UINT32_MAX;
    *key++ |= id & UINT32_MAX;
  });
  if (!fits) return std::nullopt;
  return keys;
}

/// Finds nodes by their key.
class NodeIndex {
 public:
  explicit NodeIndex(const std::vector<std::uint64_t>& keys) : keys_(keys), order_(keys.size()) {
    for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::sort(order_.begin(), order_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return keys_[a] < keys_[b]; });
  }
  bool unique() const {
    return std::adjacent_find(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
             return keys_[a] == keys_[b];
           }) == order_.end();
  }
  /// Forest::kLeaf where there is none.
  std::uint32_t find(std::uint64_t key) const {
    const auto at = std::lower_bound(
        order_.begin(), order_.end(), key,
        [&](std::uint32_t index, std::uint64_t wanted) { return keys_[index] < wanted; });
    return at != order_.end() && keys_[*at] == key ? *at : Forest::kLeaf;
  }

 private:
  const std::vector<std::uint64_t>& keys_;
  std::vector<std::uint32_t> order_;
};

/// Whether each node is a leaf; nothing where a mode is unknown.
std::optional<std::vector<bool>> leaves_of(const Attribute& modes) {
  static constexpr std::string_view kBranches[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                                   "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  std::vector<bool> leaves;
  bool known = true;
  for_each_string(modes.values, [&](Bytes mode) {
    const std::string_view text = text_of(mode);
    leaves.push_back(text == "LEAF");
    known = known && (leaves.back() ||
                      std::find(std::begin(kBranches), std::end(kBranches), text) !=
                          std::end(kBranches));
  });
  if (!known) return std::nullopt;
  return leaves;
}

/// The branches to one side. Leaves have none; a branch to nowhere sets `wild`.
std::vector<std::uint32_t> side_of(const Attribute& children, const NodeIndex& index,
                                   const std::vector<std::uint64_t>& keys,
                                   const std::vector<bool>& leaves, bool& wild) {
  std::vector<std::uint32_t> side;
  side.reserve(keys.size());
  for_each_number(children.values, 0, [&](std::uint64_t id) {
    const std::size_t node = side.size();
    side.push_back(Forest::kLeaf);
    if (leaves[node]) return;
    const std::uint64_t tree = keys[node] >> 32 << 32;
    if (id < UINT32_MAX) side[node] = index.find(tree | id);
    wild = wild || side[node] == Forest::kLeaf;
  });
  return side;
}

/// Votes: (tree, node, id) of each, where node is a leaf and the id below `ids`.
Fault votes_fault(const Node& node, const std::string& prefix, std::uint64_t ids,
                  const NodeIndex& index) {
  const Attribute* trees = find_attribute(node, prefix + "_treeids");
  const Attribute* nodes = find_attribute(node, prefix + "_nodeids");
  const Attribute* targets = find_attribute(node, prefix + "_ids");
  if (trees == nullptr || nodes == nullptr || targets == nullptr) return "votes are missing";
  const std::uint64_t count = trees->values.count;
  const std::uint64_t weights = std::max(length_attribute(node, prefix + "_weights"),
                                         length_attribute(node, prefix + "_weights_as_tensor"));
  if (count > kTreeNodesMax) return "it has more votes than the limit";
  if (nodes->values.count != count || targets->values.count != count || weights != count) {
    return "the " + prefix + "_ lists differ in length";
  }
  const auto keys = keys_of(*trees, *nodes);
  if (!keys) return "a vote's tree or node is out of range";
  bool fits = true;
  for (const std::uint64_t key : *keys) fits = fits && index.find(key) != Forest::kLeaf;
  if (!fits) return "a vote belongs to no node";
  for_each_number(targets->values, 0, [&](std::uint64_t id) { fits = fits && id < ids; });
  if (!fits) return prefix + "_ids must be below " + std::to_string(ids);
  return std::nullopt;
}

Fault lists_fault(const Node& node) {
  const std::uint64_t count = length_attribute(node, "nodes_nodeids");
  if (count == 0) return "it has no nodes";
  if (count > kTreeNodesMax) return "it has more nodes than the limit";
  for (const char* name : {"nodes_treeids", "nodes_featureids", "nodes_modes",
                           "nodes_truenodeids", "nodes_falsenodeids"}) {
    if (length_attribute(node, name) != count) {
      return std::string(name) + " differs in length from nodes_nodeids";
    }
  }
  const std::uint64_t values = std::max(length_attribute(node, "nodes_values"),
                                        length_attribute(node, "nodes_values_as_tensor"));
  if (values != count) return "nodes_values differs in length from nodes_nodeids";
  for (const char* name : {"nodes_hitrates", "nodes_hitrates_as_tensor",
                           "nodes_missing_value_tracks_true"}) {
    const std::uint64_t length = length_attribute(node, name);
    if (length != 0 && length != count) {
      return std::string(name) + " differs in length from nodes_nodeids";
    }
  }
  return std::nullopt;
}

bool features_in_range(const Attribute& features) {
  bool fits = true;
  for_each_number(features.values, 0, [&](std::uint64_t id) { fits = fits && id < kFeaturesMax; });
  return fits;
}

/// TreeEnsembleClassifier and TreeEnsembleRegressor.
Fault ensemble_fault(const Node& node, bool classifier) {
  if (auto fault = lists_fault(node)) return fault;
  const auto keys = keys_of(*find_attribute(node, "nodes_treeids"),
                            *find_attribute(node, "nodes_nodeids"));
  if (!keys) return "a tree or node id is out of range";
  if (!features_in_range(*find_attribute(node, "nodes_featureids"))) {
    return "nodes_featureids must be from 0 to " + std::to_string(kFeaturesMax - 1);
  }
  const auto leaves = leaves_of(*find_attribute(node, "nodes_modes"));
  if (!leaves) return "nodes_modes has a mode that is unknown";
  const NodeIndex index(*keys);
  if (!index.unique()) return "a node stands twice";
  bool wild = false;
  Forest forest;
  forest.yes = side_of(*find_attribute(node, "nodes_truenodeids"), index, *keys, *leaves, wild);
  forest.no = side_of(*find_attribute(node, "nodes_falsenodeids"), index, *keys, *leaves, wild);
  if (wild) return "a branch points to no node of its tree";
  if (const auto fault = fault_of(forest)) return *fault;
  if (!classifier) {
    const std::int64_t targets = integer_attribute(node, "n_targets", 1);
    if (targets < 1 || targets > kClassesMax) return "n_targets is out of range";
    return votes_fault(node, "target", static_cast<std::uint64_t>(targets), index);
  }
  const std::uint64_t classes = length_attribute(node, "classlabels_int64s") +
                                length_attribute(node, "classlabels_strings");
  if (classes == 0 || classes > kClassesMax) return "it needs class labels, of one kind";
  return votes_fault(node, "class", classes, index);
}

/// The children to one side of the newer operator: an index of nodes, or of leaves.
std::vector<std::uint32_t> plain_side(const Attribute& children, const Attribute& are_leaves,
                                      std::uint64_t leaves, bool& wild) {
  std::vector<bool> leaf;
  for_each_number(are_leaves.values, 0, [&](std::uint64_t flag) { leaf.push_back(flag != 0); });
  std::vector<std::uint32_t> side;
  for_each_number(children.values, 0, [&](std::uint64_t id) {
    const bool ends = leaf[side.size()];
    wild = wild || (ends ? id >= leaves : id >= UINT32_MAX);
    side.push_back(ends ? Forest::kLeaf : static_cast<std::uint32_t>(id & UINT32_MAX));
  });
  return side;
}

/// TreeEnsemble.
Fault tree_ensemble_fault(const Node& node) {
  const std::uint64_t count = length_attribute(node, "nodes_featureids");
  if (count == 0 || count > kTreeNodesMax) return "it has no nodes, or more than the limit";
  for (const char* name : {"nodes_splits", "nodes_modes", "nodes_truenodeids",
                           "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs"}) {
    if (length_attribute(node, name) != count) {
      return std::string(name) + " differs in length from nodes_featureids";
    }
  }
  const std::uint64_t leaves = length_attribute(node, "leaf_targetids");
  if (leaves == 0 || leaves > kTreeNodesMax || length_attribute(node, "leaf_weights") != leaves) {
    return "leaf_targetids and leaf_weights must be as long as each other";
  }
  if (!features_in_range(*find_attribute(node, "nodes_featureids"))) {
    return "nodes_featureids must be from 0 to " + std::to_string(kFeaturesMax - 1);
  }
  const std::int64_t targets = integer_attribute(node, "n_targets", 1);
  if (targets < 1 || targets > kClassesMax) return "n_targets is out of range";
  bool wild = false;
  for_each_number(find_attribute(node, "leaf_targetids")->values, 0, [&](std::uint64_t id) {
    wild = wild || id >= static_cast<std::uint64_t>(targets);
  });
  if (wild) return "leaf_targetids must be below n_targets";
  Forest forest;
  forest.yes = plain_side(*find_attribute(node, "nodes_truenodeids"),
                          *find_attribute(node, "nodes_trueleafs"), leaves, wild);
  forest.no = plain_side(*find_attribute(node, "nodes_falsenodeids"),
                         *find_attribute(node, "nodes_falseleafs"), leaves, wild);
  const auto roots = integers_attribute(node, "tree_roots", kTreeNodesMax);
  if (wild || !roots || roots->empty()) return "a branch or root is out of range";
  for (const std::int64_t root : *roots) {
    if (root < 0 || root >= static_cast<std::int64_t>(count)) return "a root is no node";
    forest.roots.push_back(static_cast<std::uint32_t>(root));
  }
  // One leaf alone is written as a node whose both sides are that leaf.
  if (const auto fault = fault_of(forest)) return *fault;
  return std::nullopt;
}

}  // namespace

void check_trees(const Node& node, const Where& where, FindingList& findings) {
  if (node.domain != "ai.onnx.ml") return;
  Fault fault;
  if (node.op_type == "TreeEnsembleClassifier") fault = ensemble_fault(node, true);
  else if (node.op_type == "TreeEnsembleRegressor") fault = ensemble_fault(node, false);
  else if (node.op_type == "TreeEnsemble") fault = tree_ensemble_fault(node);
  if (fault) findings.add("tree-structure", where, *fault);
}

}  // namespace cloister
