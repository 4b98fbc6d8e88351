#include "graph/canonical.h"

#include <algorithm>
#include <string>
#include <utility>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/attributes.h"
#include "graph/rules/operators.h"

namespace cloister {
namespace {

constexpr std::int64_t kIrVersionWithoutDefaultInputs = 4;
constexpr std::int64_t kIdentityOpset = 13;

/// Whether an initializer leaves the graph for the weights segment.
bool is_large(const Tensor& tensor) {
  const auto bytes = raw_bytes(tensor);
  return bytes && *bytes > kWeightInlineBytesMax && protocol_type(tensor.type);
}

/// Turns `Constant` nodes with large tensors into initializers. No name is defined twice in a
/// checked model, so that the initializer can take the name of the node's output.
void lift_constants(Graph& graph) {
  const auto lift = [&](Node& node) {
    if (!node.domain.empty() || node.op_type != "Constant" || node.attributes.size() != 1 ||
        node.outputs.size() != 1) {
      return false;
    }
    Attribute& attribute = node.attributes[0];
    if (attribute.kind != AttributeKind::tensor || !attribute.content ||
        !is_large(attribute.content->tensors[0])) {
      return false;
    }
    Tensor& tensor = attribute.content->tensors[0];
    tensor.name = node.outputs[0];
    graph.initializers.push_back(std::move(tensor));
    return true;
  };
  std::erase_if(graph.nodes, lift);
}

/// The output of a ZipMap without it: one row of scores for each input row.
ValueType scores_of(const Node& zip_map) {
  const std::uint64_t classes = length_attribute(zip_map, "classlabels_int64s") +
                                length_attribute(zip_map, "classlabels_strings");
  ValueType type;
  type.kind = ValueType::Kind::tensor;
  type.element = ElementType::f32;
  type.has_shape = true;
  type.shape.resize(2);
  type.shape[1].kind = Dimension::Kind::value;
  type.shape[1].value = static_cast<std::int64_t>(classes);
  return type;
}

/// A ZipMap at the end of a graph turns scores into a list of maps, which no tensor protocol
/// carries: the scores themselves come out instead, under the name of the output.
void strip_zip_maps(Model& model) {
  Graph& graph = model.graph;
  std::vector<std::string_view> used;
  for (const Node& node : graph.nodes) {
    used.insert(used.end(), node.inputs.begin(), node.inputs.end());
  }
  std::sort(used.begin(), used.end());
  std::vector<Value*> outputs;
  for (Value& output : graph.outputs) outputs.push_back(&output);
  std::sort(outputs.begin(), outputs.end(),
            [](const Value* a, const Value* b) { return a->name < b->name; });
  bool stripped = false;
  for (Node& node : graph.nodes) {
    if (node.domain != "ai.onnx.ml" || node.op_type != "ZipMap") continue;
    const auto output = std::lower_bound(
        outputs.begin(), outputs.end(), node.outputs[0],
        [](const Value* one, std::string_view wanted) { return one->name < wanted; });
    const bool last = output != outputs.end() && (*output)->name == node.outputs[0] &&
                      !std::binary_search(used.begin(), used.end(), node.outputs[0]);
    if (!last) continue;
    (*output)->type = scores_of(node);
    node.domain = "";
    node.op_type = "Identity";
    node.attributes.clear();
    stripped = true;
  }
  const bool imported = std::any_of(model.imports.begin(), model.imports.end(),
                                    [](const OpsetImport& one) { return one.domain.empty(); });
  if (stripped && !imported) model.imports.push_back({"", kIdentityOpset});
}

/// Up to IR version 3 every initializer had to be an input as well, and none could be overridden.
void drop_default_inputs(Model& model) {
  if (model.ir_version >= kIrVersionWithoutDefaultInputs) return;
  std::vector<std::string_view> names;
  for (const Tensor& tensor : model.graph.initializers) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  std::erase_if(model.graph.inputs, [&](const Value& input) {
    return std::binary_search(names.begin(), names.end(), input.name);
  });
  model.ir_version = kIrVersionWithoutDefaultInputs;
}

void drop_imports(Model& model) {
  std::vector<OpsetImport> kept;
  for (const OpsetImport& import : model.imports) {
    const bool needed =
        OperatorTable::opset_max(import.domain) != 0 ||
        std::any_of(model.functions.begin(), model.functions.end(),
                    [&](const Function& one) { return one.domain == import.domain; });
    const bool again = std::any_of(kept.begin(), kept.end(), [&](const OpsetImport& one) {
      return one.domain == import.domain;
    });
    if (needed && !again) kept.push_back(import);
  }
  model.imports = std::move(kept);
}

}  // namespace

void make_canonical(Model& model) {
  lift_constants(model.graph);
  strip_zip_maps(model);
  drop_default_inputs(model);
  drop_imports(model);
}

CanonicalWeights place_weights(const Model& model, FindingList& findings) {
  CanonicalWeights weights;
  const auto& initializers = model.graph.initializers;
  std::uint64_t to_convert = 0;
  for (const Tensor& tensor : initializers) {
    if (is_large(tensor) && !raw_view(tensor)) to_convert += *raw_bytes(tensor);
  }
  if (to_convert > kConvertedBytesMax) {
    findings.add("limit-converted", Where{nullptr, "graph"},
                 std::to_string(to_convert) + " bytes of weights are stored as lists of numbers; "
                 "store them as raw_data (onnx.numpy_helper.from_array does)");
    return weights;
  }
  for (std::size_t i = 0; i < initializers.size(); ++i) {
    const Tensor& tensor = initializers[i];
    if (!is_large(tensor)) continue;
    const std::uint64_t size = *raw_bytes(tensor);
    const std::uint64_t offset =
        (weights.bytes + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
    auto view = raw_view(tensor);
    if (!view) {
      weights.converted.push_back(converted(tensor));
      view = Bytes(weights.converted.back());
    }
    weights.places.push_back({i, offset, size});
    weights.pieces.push_back({offset, *view});
    weights.entries.push_back(
        {std::string(tensor.name), *protocol_type(tensor.type), tensor.dims, offset, size});
    weights.bytes = offset + size;
  }
  return weights;
}

}  // namespace cloister
