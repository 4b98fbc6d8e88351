#include "graph/onnx/encode.h"

#include <string>
#include <utility>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "model/model.h"

namespace cloister {
namespace {

/// Writes each message's fields in rising order of their numbers.
class Encoder {
 public:
  Encoder(WireWriter& out, const std::vector<WeightPlace>& weights)
      : out_(out), weights_(weights) {}
  void model(const Model& model);

 private:
  void graph(const Graph& graph, bool main);
  void node(const Node& node);
  void attribute(std::uint32_t number, const Attribute& attribute);
  void attribute_lists(const Attribute& attribute);
  void tensor(std::uint32_t number, const Tensor& tensor, const WeightPlace* place);
  void tensor_values(const Tensor& tensor);
  void external(const Tensor& tensor, const WeightPlace* place);
  void entry(std::string_view key, std::string_view value);
  void sparse(std::uint32_t number, const SparseTensor& sparse);
  void value(std::uint32_t number, const Value& value);
  void type(std::uint32_t number, const ValueType& type);
  void import(std::uint32_t number, const OpsetImport& import);
  void function(const Function& function);
  void dims(std::uint32_t number, const std::vector<std::uint64_t>& dims);
  void number_list(std::uint32_t number, const Repeated& values, std::size_t width);
  void optional_text(std::uint32_t number, std::string_view text) {
    if (!text.empty()) out_.text(number, text);
  }

  WireWriter& out_;
  const std::vector<WeightPlace>& weights_;
};

void Encoder::dims(std::uint32_t number, const std::vector<std::uint64_t>& dims) {
  if (dims.empty()) return;
  out_.open(number);
  for (const std::uint64_t extent : dims) out_.raw_varint(extent);
  out_.close();
}

void Encoder::entry(std::string_view key, std::string_view value) {
  out_.open(13);
  out_.text(1, key);
  out_.text(2, value);
  out_.close();
}

void Encoder::external(const Tensor& tensor, const WeightPlace* place) {
  if (place != nullptr) {
    entry("location", kWeightsLocation);
    entry("offset", std::to_string(place->offset));
    entry("length", std::to_string(place->bytes));
  } else {
    for (const auto& [key, text] : tensor.external_data) entry(key, text);
  }
  out_.varint(14, 1);
}

void Encoder::tensor_values(const Tensor& tensor) {
  if (const auto view = raw_view(tensor)) {
    if (!view->empty()) out_.bytes(9, *view);
    return;
  }
  const std::uint64_t size = raw_bytes(tensor).value_or(0);
  if (size == 0) return;
  out_.open(9);
  if (out_.wants(size)) out_.raw_bytes(converted(tensor));
  out_.close();
}

void Encoder::tensor(std::uint32_t number, const Tensor& tensor, const WeightPlace* place) {
  const bool outside = place != nullptr || tensor.external;
  out_.open(number);
  dims(1, tensor.dims);
  out_.varint(2, static_cast<std::uint64_t>(tensor.type));
  if (tensor.storage == TensorStorage::strings) {
    for_each_string(tensor.values, [&](Bytes text) { out_.bytes(6, text); });
  }
  optional_text(8, tensor.name);
  if (!outside && tensor.storage != TensorStorage::strings) tensor_values(tensor);
  if (outside) external(tensor, place);
  out_.close();
}

void Encoder::sparse(std::uint32_t number, const SparseTensor& sparse) {
  out_.open(number);
  tensor(1, sparse.values, nullptr);
  tensor(2, sparse.indices, nullptr);
  dims(3, sparse.dims);
  out_.close();
}

void Encoder::type(std::uint32_t number, const ValueType& type) {
  using Kind = ValueType::Kind;
  out_.open(number);
  const bool shaped = type.kind == Kind::tensor || type.kind == Kind::sparse;
  static constexpr std::uint32_t kFields[] = {0, 1, 4, 5, 9, 8};
  if (type.kind != Kind::none) {
    out_.open(kFields[static_cast<std::size_t>(type.kind)]);
    const bool map = type.kind == Kind::map;
    if (shaped || map) out_.varint(1, static_cast<std::uint64_t>(type.element));
    for (const ValueType& inner : type.inner) this->type(map ? 2 : 1, inner);
    if (shaped && type.has_shape) {
      out_.open(2);
      for (const Dimension& dimension : type.shape) {
        out_.open(1);
        if (dimension.kind == Dimension::Kind::value && dimension.value >= 0) {
          out_.varint(1, static_cast<std::uint64_t>(dimension.value));
        } else if (dimension.kind == Dimension::Kind::symbol) {
          out_.text(2, dimension.symbol);
        }
        out_.close();
      }
      out_.close();
    }
    out_.close();
  }
  out_.close();
}

void Encoder::value(std::uint32_t number, const Value& value) {
  out_.open(number);
  out_.text(1, value.name);
  if (value.type.kind != ValueType::Kind::none) type(2, value.type);
  out_.close();
}

void Encoder::number_list(std::uint32_t number, const Repeated& values, std::size_t width) {
  if (values.count == 0) return;
  out_.open(number);
  for_each_number(values, width, [&](std::uint64_t bits) {
    if (width == 0) out_.raw_varint(bits);
    else out_.raw_little(bits, width);
  });
  out_.close();
}

void Encoder::attribute_lists(const Attribute& attribute) {
  if (attribute.kind == AttributeKind::reals) number_list(7, attribute.values, 4);
  if (attribute.kind == AttributeKind::integers) number_list(8, attribute.values, 0);
  if (attribute.kind == AttributeKind::strings) {
    for_each_string(attribute.values, [&](Bytes text) { out_.bytes(9, text); });
  }
  if (!attribute.content) return;
  const AttributeContent& content = *attribute.content;
  if (attribute.kind == AttributeKind::tensors) {
    for (const Tensor& one : content.tensors) tensor(10, one, nullptr);
  }
  if (attribute.kind == AttributeKind::graphs) {
    for (const Graph& one : content.graphs) {
      out_.open(11);
      graph(one, false);
      out_.close();
    }
  }
  if (attribute.kind == AttributeKind::type && !content.types.empty()) type(14, content.types[0]);
  if (attribute.kind == AttributeKind::types) {
    for (const ValueType& one : content.types) type(15, one);
  }
}

void Encoder::attribute(std::uint32_t number, const Attribute& attribute) {
  const AttributeContent* content = attribute.content.get();
  out_.open(number);
  out_.text(1, attribute.name);
  if (attribute.reference.empty()) {
    switch (attribute.kind) {
      case AttributeKind::real:
        out_.fixed32(2, static_cast<std::uint32_t>(attribute.scalar));
        break;
      case AttributeKind::integer: out_.varint(3, attribute.scalar); break;
      case AttributeKind::string: out_.bytes(4, attribute.text); break;
      case AttributeKind::tensor:
        if (content != nullptr) tensor(5, content->tensors[0], nullptr);
        break;
      case AttributeKind::graph:
        if (content == nullptr) break;
        out_.open(6);
        graph(content->graphs[0], false);
        out_.close();
        break;
      default: attribute_lists(attribute); break;
    }
  }
  out_.varint(20, static_cast<std::uint64_t>(attribute.kind));
  optional_text(21, attribute.reference);
  if (content != nullptr && attribute.kind == AttributeKind::sparse) {
    sparse(22, content->sparses[0]);
  }
  if (content != nullptr && attribute.kind == AttributeKind::sparses) {
    for (const SparseTensor& one : content->sparses) sparse(23, one);
  }
  out_.close();
}

void Encoder::node(const Node& node) {
  for (const std::string_view name : node.inputs) out_.text(1, name);
  for (const std::string_view name : node.outputs) out_.text(2, name);
  optional_text(3, node.name);
  out_.text(4, node.op_type);
  for (const Attribute& one : node.attributes) attribute(5, one);
  optional_text(7, node.domain);
  optional_text(8, node.overload);
}

void Encoder::graph(const Graph& graph, bool main) {
  for (const Node& one : graph.nodes) {
    out_.open(1);
    node(one);
    out_.close();
  }
  out_.text(2, "graph");
  auto place = weights_.begin();
  for (std::size_t i = 0; i < graph.initializers.size(); ++i) {
    const bool placed = main && place != weights_.end() && place->initializer == i;
    tensor(5, graph.initializers[i], placed ? &*place++ : nullptr);
  }
  for (const Value& one : graph.inputs) value(11, one);
  for (const Value& one : graph.outputs) value(12, one);
  for (const SparseTensor& one : graph.sparse_initializers) sparse(15, one);
}

void Encoder::import(std::uint32_t number, const OpsetImport& import) {
  out_.open(number);
  out_.text(1, import.domain);
  out_.varint(2, static_cast<std::uint64_t>(import.version));
  out_.close();
}

void Encoder::function(const Function& function) {
  out_.open(25);
  out_.text(1, function.name);
  for (const std::string_view name : function.inputs) out_.text(4, name);
  for (const std::string_view name : function.outputs) out_.text(5, name);
  for (const std::string_view name : function.attributes) out_.text(6, name);
  for (const Node& one : function.nodes) {
    out_.open(7);
    node(one);
    out_.close();
  }
  for (const OpsetImport& one : function.imports) import(9, one);
  out_.text(10, function.domain);
  for (const Attribute& one : function.defaults) attribute(11, one);
  optional_text(13, function.overload);
  out_.close();
}

void Encoder::model(const Model& model) {
  out_.varint(1, static_cast<std::uint64_t>(model.ir_version));
  out_.open(7);
  graph(model.graph, true);
  out_.close();
  for (const OpsetImport& one : model.imports) import(8, one);
  for (const Function& one : model.functions) function(one);
}

}  // namespace

std::optional<ByteVector> encode_model(const Model& model,
                                       const std::vector<WeightPlace>& weights) {
  WireWriter counting;
  Encoder(counting, weights).model(model);
  if (counting.size() > kCanonicalGraphBytesMax) return std::nullopt;
  WireWriter writing(std::move(counting));
  Encoder(writing, weights).model(model);
  return std::move(writing).take();
}

}  // namespace cloister
