#include "hostile_models/parts.h"

namespace cloister {
namespace {

/// One tree: node 0 branches to leaves 1 and 2. Each list can be replaced.
struct TreeParts {
  std::vector<std::int64_t> trees{0, 0, 0};
  std::vector<std::int64_t> nodes{0, 1, 2};
  std::vector<std::int64_t> features{0, 0, 0};
  std::vector<std::string> modes{"BRANCH_LEQ", "LEAF", "LEAF"};
  std::vector<std::int64_t> yes{1, 0, 0};
  std::vector<std::int64_t> no{2, 0, 0};
  std::size_t values = 3;
  std::vector<std::int64_t> vote_nodes{1, 2};
  std::vector<std::int64_t> vote_ids{0, 1};
};

ByteVector model_of(const OnnxMessage& node) {
  ModelParts parts;
  parts.graph = onnx_graph({{node},
                            {},
                            {onnx_value("x", OnnxType::f32, {1, 4})},
                            {onnx_value("y", OnnxType::f32, {1, 2})}});
  parts.imports = {{"", 17}, {"ai.onnx.ml", 3}};
  return model_bytes(parts);
}

ByteVector classifier(const TreeParts& parts) {
  return model_of(node_of(
      "ai.onnx.ml", "TreeEnsembleClassifier", {"x"}, {"label", "y"},
      {ints_attribute("nodes_treeids", parts.trees), ints_attribute("nodes_nodeids", parts.nodes),
       ints_attribute("nodes_featureids", parts.features),
       strings_attribute("nodes_modes", parts.modes),
       ints_attribute("nodes_truenodeids", parts.yes),
       ints_attribute("nodes_falsenodeids", parts.no),
       floats_attribute("nodes_values", parts.values),
       ints_attribute("class_treeids",
                      std::vector<std::int64_t>(parts.vote_nodes.size(), parts.trees[0])),
       ints_attribute("class_nodeids", parts.vote_nodes),
       ints_attribute("class_ids", parts.vote_ids),
       floats_attribute("class_weights", parts.vote_nodes.size()),
       ints_attribute("classlabels_int64s", {0, 1})}));
}

ByteVector deep_tree(std::int64_t depth) {
  TreeParts parts;
  for (auto* list : {&parts.trees, &parts.features}) {
    list->assign(static_cast<std::size_t>(2 * depth + 1), 0);
  }
  parts.nodes.clear();
  parts.modes.clear();
  parts.yes.clear();
  parts.no.clear();
  for (std::int64_t i = 0; i < 2 * depth + 1; ++i) {
    const bool branch = i % 2 == 0 && i < 2 * depth;
    parts.nodes.push_back(i);
    parts.modes.emplace_back(branch ? "BRANCH_LEQ" : "LEAF");
    parts.yes.push_back(branch ? i + 1 : 0);
    parts.no.push_back(branch ? i + 2 : 0);
  }
  parts.values = parts.nodes.size();
  return classifier(parts);
}

/// The newer operator: one node with two leaves.
ByteVector ensemble(const std::vector<std::int64_t>& yes, const std::vector<std::int64_t>& leafs,
                    const std::vector<std::int64_t>& roots) {
  const std::size_t count = yes.size();
  const std::vector<std::int64_t> zeros(count, 0);
  const auto extent = static_cast<std::int64_t>(count);
  const OnnxMessage node = node_of(
      "ai.onnx.ml", "TreeEnsemble", {"x"}, {"y"},
      {ints_attribute("nodes_featureids", zeros), ints_attribute("nodes_truenodeids", yes),
       ints_attribute("nodes_falsenodeids", zeros), ints_attribute("nodes_trueleafs", leafs),
       ints_attribute("nodes_falseleafs", std::vector<std::int64_t>(count, 1)),
       ints_attribute("tree_roots", roots), ints_attribute("leaf_targetids", {0, 0}),
       tensor_attribute_message("leaf_weights", onnx_tensor("", OnnxType::f32, {2},
                                                            std::string(8, '\0'))),
       tensor_attribute_message("nodes_splits", onnx_tensor("", OnnxType::f32, {extent},
                                                            std::string(4 * count, '\0'))),
       tensor_attribute_message("nodes_modes", onnx_tensor("", static_cast<OnnxType>(2), {extent},
                                                           std::string(count, '\0')))});
  ModelParts parts;
  parts.graph = onnx_graph({{node},
                            {},
                            {onnx_value("x", OnnxType::f32, {1, 4})},
                            {onnx_value("y", OnnxType::f32, {1, 1})}});
  parts.imports = {{"ai.onnx.ml", 5}};
  return model_bytes(parts);
}

HostileModel changed(std::string name, void (*change)(TreeParts&)) {
  TreeParts parts;
  change(parts);
  return {std::move(name), "tree-structure", classifier(parts)};
}

}  // namespace

std::vector<HostileModel> hostile_trees() {
  std::vector<HostileModel> models{
      changed("tree-cycle", [](TreeParts& p) { p.modes[1] = "BRANCH_LEQ"; p.yes[1] = 0; }),
      changed("tree-node-its-own-child", [](TreeParts& p) { p.yes[0] = 0; }),
      changed("tree-node-with-two-parents", [](TreeParts& p) { p.no[0] = 1; }),
      changed("tree-wild-child", [](TreeParts& p) { p.no[0] = 77; }),
      changed("tree-negative-child", [](TreeParts& p) { p.no[0] = -1; }),
      changed("tree-child-in-other-tree", [](TreeParts& p) { p.trees[2] = 1; }),
      changed("tree-node-twice", [](TreeParts& p) { p.nodes[2] = 1; }),
      changed("tree-wild-feature", [](TreeParts& p) { p.features[0] = 1LL << 40; }),
      changed("tree-negative-feature", [](TreeParts& p) { p.features[0] = -1; }),
      changed("tree-unknown-mode", [](TreeParts& p) { p.modes[0] = "BRANCH_XYZ"; }),
      changed("tree-lists-differ", [](TreeParts& p) { p.yes.pop_back(); }),
      changed("tree-few-values", [](TreeParts& p) { p.values = 2; }),
      changed("tree-wild-vote", [](TreeParts& p) { p.vote_nodes[0] = 9; }),
      changed("tree-wild-class", [](TreeParts& p) { p.vote_ids[0] = 2; }),
      changed("tree-negative-class", [](TreeParts& p) { p.vote_ids[0] = -1; }),
      {"tree-too-deep", "tree-structure", deep_tree(3000)},
      {"ensemble-cycle", "tree-structure", ensemble({1, 0}, {0, 0}, {0})},
      {"ensemble-wild-leaf", "tree-structure", ensemble({7}, {1}, {0})},
      {"ensemble-wild-child", "tree-structure", ensemble({7}, {0}, {0})},
      {"ensemble-wild-root", "tree-structure", ensemble({0}, {1}, {3})},
  };
  const auto add = [&](std::string name, const OnnxMessage& node) {
    models.push_back({std::move(name), "learned-size", model_of(node)});
  };
  add("svm-few-vectors",
      node_of("ai.onnx.ml", "SVMClassifier", {"x"}, {"label", "y"},
              {ints_attribute("classlabels_ints", {0, 1}),
               ints_attribute("vectors_per_class", {1000, 1000}),
               floats_attribute("support_vectors", 8), floats_attribute("coefficients", 2),
               floats_attribute("rho", 1)}));
  add("svm-few-coefficients",
      node_of("ai.onnx.ml", "SVMClassifier", {"x"}, {"label", "y"},
              {ints_attribute("classlabels_ints", {0, 1}),
               ints_attribute("vectors_per_class", {1, 1}), floats_attribute("support_vectors", 8),
               floats_attribute("coefficients", 1), floats_attribute("rho", 1)}));
  add("svm-negative-vectors",
      node_of("ai.onnx.ml", "SVMClassifier", {"x"}, {"label", "y"},
              {ints_attribute("classlabels_ints", {0, 1}),
               ints_attribute("vectors_per_class", {-1, 3}), floats_attribute("support_vectors", 8),
               floats_attribute("coefficients", 2), floats_attribute("rho", 1)}));
  add("svm-regressor-few-vectors",
      node_of("ai.onnx.ml", "SVMRegressor", {"x"}, {"y"},
              {onnx_int_attribute("n_supports", 1 << 30), floats_attribute("support_vectors", 4),
               floats_attribute("coefficients", 1), floats_attribute("rho", 1)}));
  add("linear-few-coefficients",
      node_of("ai.onnx.ml", "LinearClassifier", {"x"}, {"label", "y"},
              {ints_attribute("classlabels_ints", {0, 1, 2}), floats_attribute("coefficients", 4),
               floats_attribute("intercepts", 3)}));
  return models;
}

}  // namespace cloister
