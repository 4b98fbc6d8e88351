#include "graph/rules/signature.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

std::string kind_text(const ValueType& type) {
  switch (type.kind) {
    case ValueType::Kind::sequence: return "a sequence";
    case ValueType::Kind::map: return "a map";
    case ValueType::Kind::optional: return "an optional";
    case ValueType::Kind::sparse: return "a sparse tensor";
    case ValueType::Kind::none: return "of no declared type";
    case ValueType::Kind::tensor: break;
  }
  return std::string("a tensor of ") + name_of(type.element);
}

TensorSpec spec_of(const Value& value, const Where& where, FindingList& findings) {
  TensorSpec spec;
  spec.name = value.name;
  const auto type = value.type.kind == ValueType::Kind::tensor
                        ? protocol_type(value.type.element)
                        : std::nullopt;
  if (!type) {
    findings.add("signature-type", where,
                 "it is " + kind_text(value.type) +
                     "; the protocol carries dense tensors of bool, integers, floats and strings: "
                     "end the graph in tensors (for scikit-learn, zipmap=False)");
    return spec;
  }
  spec.type = *type;
  spec.rank_known = value.type.has_shape;
  if (value.type.shape.size() > kRankMax) {
    findings.add("tensor-shape", where,
                 "at most " + std::to_string(kRankMax) + " dimensions are served");
    return spec;
  }
  for (const Dimension& dimension : value.type.shape) {
    Extent extent;
    if (dimension.kind == Dimension::Kind::value && dimension.value >= 0) {
      extent.value = static_cast<std::uint64_t>(dimension.value);
      if (*extent.value > kElementsMax) {
        findings.add("tensor-shape", where,
                     "a dimension is at most " + std::to_string(kElementsMax));
      }
    } else {
      extent.symbol = dimension.symbol;
    }
    spec.extents.push_back(std::move(extent));
  }
  return spec;
}

}  // namespace

Signature signature_of(const Graph& graph, FindingList& findings) {
  std::vector<std::string_view> defaults;
  for (const Tensor& tensor : graph.initializers) defaults.push_back(tensor.name);
  for (const SparseTensor& sparse : graph.sparse_initializers) {
    defaults.push_back(sparse.values.name);
  }
  std::sort(defaults.begin(), defaults.end());
  Signature signature;
  const Where main{nullptr, "graph"};
  if (graph.inputs.size() > kSignatureTensorsMax || graph.outputs.size() > kSignatureTensorsMax) {
    findings.add("limit-signature", main,
                 "at most " + std::to_string(kSignatureTensorsMax) + " inputs and as many outputs");
    return signature;
  }
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& input = graph.inputs[i];
    const Where where{&main, "input", static_cast<std::int64_t>(i), input.name};
    const bool optional = std::binary_search(defaults.begin(), defaults.end(), input.name);
    auto& list = optional ? signature.optional_inputs : signature.inputs;
    list.push_back(spec_of(input, where, findings));
  }
  if (graph.outputs.empty()) {
    findings.add("signature-empty", main, "a model needs an output");
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const Value& output = graph.outputs[i];
    const Where where{&main, "output", static_cast<std::int64_t>(i), output.name};
    for (std::size_t k = 0; k < i; ++k) {
      if (graph.outputs[k].name != output.name) continue;
      findings.add("name-duplicate", where, "name each output once");
      break;
    }
    signature.outputs.push_back(spec_of(output, where, findings));
  }
  return signature;
}

}  // namespace cloister
