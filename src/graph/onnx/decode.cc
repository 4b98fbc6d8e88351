#include "graph/onnx/decode.h"

#include <utility>

#include "graph/limits.h"

namespace cloister {
namespace {

/// Reads messages into their structs. Every function reads on until the end or the first fault,
/// which all of them share; what they return after a fault is not looked at.
class Decoder {
 public:
  explicit Decoder(Bytes file) : fault_(file) {}
  const WireFault& fault() const noexcept { return fault_; }
  Model model(Bytes message);

 private:
  Graph graph(Bytes message);
  Node node(Bytes message);
  Attribute attribute(Bytes message);
  Tensor tensor(Bytes message);
  SparseTensor sparse(Bytes message);
  Value value(Bytes message);
  ValueType type(Bytes message);
  std::vector<Dimension> shape(Bytes message);
  Dimension dimension(Bytes message);
  Function function(Bytes message);
  OpsetImport import(Bytes message);
  void tensor_values(Tensor& tensor, TensorStorage storage, Bytes message, WireReader& fields);
  void external_entry(Tensor& tensor, Bytes message);
  void repeated(Repeated& values, Bytes message, WireReader& fields, std::size_t width);
  void dims(std::vector<std::uint64_t>& dims, bool& negative, WireReader& fields);
  void skim(Bytes message);
  void count(std::uint64_t& counter, std::uint64_t max, const char* rule, WireReader& fields) {
    if (++counter > max) fields.raise(rule);
  }

  WireFault fault_;
  std::size_t graph_depth_ = 0;
  std::size_t type_depth_ = 0;
  std::uint64_t nodes_ = 0;
  std::uint64_t attributes_ = 0;
  std::uint64_t tensors_ = 0;
  std::uint64_t names_ = 0;
  std::uint64_t strings_ = 0;
  std::uint64_t graphs_ = 0;
  std::uint64_t dimensions_ = 0;
  std::uint64_t functions_ = 0;
  std::uint64_t imports_ = 0;
};

std::string_view without_alias(std::string_view domain) noexcept {
  return domain == "ai.onnx" ? std::string_view{} : domain;
}

ElementType onnx_type(WireReader& fields) noexcept {
  const std::uint64_t number = fields.varint();
  if (number <= kElementTypeMax) return static_cast<ElementType>(number);
  fields.raise("tensor-type");
  return ElementType::undefined;
}

/// Bytes of one element of a packed run; 0 for varints.
std::size_t width_of(TensorStorage storage) noexcept {
  if (storage == TensorStorage::floats) return 4;
  return storage == TensorStorage::doubles ? 8 : 0;
}

/// Reads past a message whose content is dropped: its own fields must still be well formed.
void Decoder::skim(Bytes message) {
  for (WireReader fields(fault_, message); fields.next();) {
  }
}

void Decoder::repeated(Repeated& values, Bytes message, WireReader& fields, std::size_t width) {
  values.message = message;
  values.number = fields.number();
  values.packed = false;
  if (fields.type() != WireType::bytes) {
    if (width == 0) fields.varint();
    else if (width == 4) fields.fixed32();
    else fields.fixed64();
    ++values.count;
    return;
  }
  const Bytes run = fields.bytes();
  if (values.count == 0) {
    values.run = run;
    values.packed = true;
  }
  if (width != 0) {
    if (run.size() % width != 0) fields.raise("wire-packed");
    values.count += run.size() / width;
    return;
  }
  for (Bytes rest = run; !rest.empty(); ++values.count) {
    if (!take_varint(rest)) return fields.raise("wire-varint");
  }
}

void Decoder::dims(std::vector<std::uint64_t>& dims, bool& negative, WireReader& fields) {
  const auto add = [&](std::uint64_t extent) {
    negative = negative || extent > INT64_MAX;
    dims.push_back(extent);
    count(dimensions_, kDimensionsMax, "limit-dimensions", fields);
  };
  if (fields.type() != WireType::bytes) return add(fields.varint());
  for (Bytes rest = fields.bytes(); !rest.empty() && !fault_.raised();) {
    const auto extent = take_varint(rest);
    if (!extent) return fields.raise("wire-varint");
    add(*extent);
  }
}

void Decoder::tensor_values(Tensor& tensor, TensorStorage storage, Bytes message,
                            WireReader& fields) {
  if (tensor.storage != TensorStorage::none && tensor.storage != storage) {
    tensor.several_storages = true;
  }
  tensor.storage = storage;
  if (storage == TensorStorage::strings) {
    if (fields.bytes().size() > kStringBytesMax) fields.raise("limit-string-length");
    tensor.values.message = message;
    tensor.values.number = fields.number();
    ++tensor.values.count;
    return count(strings_, kStringsMax, "limit-strings", fields);
  }
  repeated(tensor.values, message, fields, width_of(storage));
}

void Decoder::external_entry(Tensor& tensor, Bytes message) {
  tensor.external = true;
  std::pair<std::string_view, std::string_view> entry;
  for (WireReader fields(fault_, message); fields.next();) {
    if (fields.number() == 1) entry.first = fields.once().name();
    if (fields.number() == 2) entry.second = fields.once().name();
  }
  tensor.external_data.push_back(entry);
}

Tensor Decoder::tensor(Bytes message) {
  Tensor tensor;
  for (WireReader fields(fault_, message); fields.next();) {
    switch (fields.number()) {
      case 1: dims(tensor.dims, tensor.negative_extent, fields); break;
      case 2: tensor.type = onnx_type(fields.once()); break;
      case 3: tensor.segmented = true; skim(fields.once().bytes()); break;
      case 4: tensor_values(tensor, TensorStorage::floats, message, fields); break;
      case 5: tensor_values(tensor, TensorStorage::ints32, message, fields); break;
      case 6: tensor_values(tensor, TensorStorage::strings, message, fields); break;
      case 7: tensor_values(tensor, TensorStorage::ints64, message, fields); break;
      case 8: tensor.name = fields.once().name(); break;
      case 9:
        if (tensor.storage != TensorStorage::none) tensor.several_storages = true;
        tensor.storage = TensorStorage::raw;
        tensor.raw = fields.once().bytes();
        break;
      case 10: tensor_values(tensor, TensorStorage::doubles, message, fields); break;
      case 11: tensor_values(tensor, TensorStorage::unsigned64, message, fields); break;
      case 13:
        external_entry(tensor, fields.bytes());
        if (tensor.external_data.size() > kExternalEntriesMax) fields.raise("external-data");
        break;
      case 14: tensor.external = fields.once().varint() != 0 || tensor.external; break;
      default: break;
    }
  }
  WireReader end(fault_, message);
  count(tensors_, kTensorsMax, "limit-tensors", end);
  return tensor;
}

SparseTensor Decoder::sparse(Bytes message) {
  SparseTensor sparse;
  WireReader fields(fault_, message);
  // An empty message counts too: what it becomes is larger than what it was.
  count(tensors_, kTensorsMax, "limit-tensors", fields);
  while (fields.next()) {
    switch (fields.number()) {
      case 1: sparse.values = tensor(fields.once().bytes()); break;
      case 2: sparse.indices = tensor(fields.once().bytes()); break;
      case 3: dims(sparse.dims, sparse.negative_extent, fields); break;
      default: break;
    }
  }
  return sparse;
}

Dimension Decoder::dimension(Bytes message) {
  Dimension dimension;
  for (WireReader fields(fault_, message); fields.next();) {
    if (fields.number() != 1 && fields.number() != 2) continue;
    if (dimension.kind != Dimension::Kind::open) fields.raise("wire-duplicate-field");
    if (fields.number() == 1) {
      dimension.kind = Dimension::Kind::value;
      dimension.value = static_cast<std::int64_t>(fields.varint());
    } else {
      dimension.kind = Dimension::Kind::symbol;
      dimension.symbol = fields.name();
    }
  }
  if (dimension.kind == Dimension::Kind::symbol && dimension.symbol.empty()) return {};
  return dimension;
}

std::vector<Dimension> Decoder::shape(Bytes message) {
  std::vector<Dimension> shape;
  for (WireReader fields(fault_, message); fields.next();) {
    if (fields.number() != 1) continue;
    shape.push_back(dimension(fields.bytes()));
    count(dimensions_, kDimensionsMax, "limit-dimensions", fields);
  }
  return shape;
}

ValueType Decoder::type(Bytes message) {
  using Kind = ValueType::Kind;
  ValueType result;
  WireReader outer(fault_, message);
  count(names_, kValueNamesMax, "limit-value-names", outer);
  if (++type_depth_ > kTypeNestingMax) fault_.raise("limit-type-nesting", message.data());
  while (outer.next()) {
    if (outer.number() != 1 && outer.number() != 4 && outer.number() != 5 &&
        outer.number() != 8 && outer.number() != 9) {
      continue;
    }
    if (result.kind != Kind::none) outer.raise("wire-duplicate-field");
    const bool dense = outer.number() == 1;
    const bool map = outer.number() == 5;
    const bool tensor = dense || outer.number() == 8;
    if (tensor) result.kind = dense ? Kind::tensor : Kind::sparse;
    else if (map) result.kind = Kind::map;
    else result.kind = outer.number() == 4 ? Kind::sequence : Kind::optional;
    for (WireReader fields(fault_, outer.bytes()); fields.next();) {
      if (fields.number() == 1 && (tensor || map)) {
        result.element = onnx_type(fields.once());
      } else if (fields.number() == 2 && tensor) {
        result.shape = shape(fields.once().bytes());
        result.has_shape = true;
      } else if (fields.number() == (map ? 2U : 1U) && !tensor) {
        result.inner.push_back(type(fields.once().bytes()));
      }
    }
  }
  --type_depth_;
  return result;
}

Value Decoder::value(Bytes message) {
  Value value;
  for (WireReader fields(fault_, message); fields.next();) {
    if (fields.number() == 1) value.name = fields.once().name();
    if (fields.number() == 2) value.type = type(fields.once().bytes());
  }
  return value;
}

/// The kind that an AttributeProto field's number belongs to.
AttributeKind kind_of_field(std::uint32_t number) noexcept {
  switch (number) {
    case 2: return AttributeKind::real;
    case 3: return AttributeKind::integer;
    case 4: return AttributeKind::string;
    case 5: return AttributeKind::tensor;
    case 6: return AttributeKind::graph;
    case 7: return AttributeKind::reals;
    case 8: return AttributeKind::integers;
    case 9: return AttributeKind::strings;
    case 10: return AttributeKind::tensors;
    case 11: return AttributeKind::graphs;
    case 14: return AttributeKind::type;
    case 15: return AttributeKind::types;
    case 22: return AttributeKind::sparse;
    case 23: return AttributeKind::sparses;
    default: return AttributeKind::undefined;
  }
}

Attribute Decoder::attribute(Bytes message) {
  Attribute result;
  AttributeKind found = AttributeKind::undefined;
  const auto content = [&]() -> AttributeContent& {
    if (!result.content) result.content = std::make_unique<AttributeContent>();
    return *result.content;
  };
  for (WireReader fields(fault_, message); fields.next();) {
    const AttributeKind kind = kind_of_field(fields.number());
    if (kind != AttributeKind::undefined) {
      if (found != AttributeKind::undefined && found != kind) result.several_kinds = true;
      found = kind;
    }
    switch (fields.number()) {
      case 1: result.name = fields.once().name(); break;
      case 2: result.scalar = fields.once().fixed32(); break;
      case 3: result.scalar = fields.once().varint(); break;
      case 4:
        result.text = fields.once().bytes();
        if (result.text.size() > kStringBytesMax) fields.raise("limit-string-length");
        break;
      case 5: content().tensors.push_back(tensor(fields.once().bytes())); break;
      case 6: content().graphs.push_back(graph(fields.once().bytes())); break;
      case 7: repeated(result.values, message, fields, 4); break;
      case 8: repeated(result.values, message, fields, 0); break;
      case 9:
        if (fields.bytes().size() > kStringBytesMax) fields.raise("limit-string-length");
        result.values.message = message;
        result.values.number = fields.number();
        ++result.values.count;
        count(strings_, kStringsMax, "limit-strings", fields);
        break;
      case 10: content().tensors.push_back(tensor(fields.bytes())); break;
      case 11: content().graphs.push_back(graph(fields.bytes())); break;
      case 14: content().types.push_back(type(fields.once().bytes())); break;
      case 15: content().types.push_back(type(fields.bytes())); break;
      case 20: {
        const std::uint64_t number = fields.once().varint();
        if (number > kAttributeKindMax) fields.raise("attribute-kind");
        else result.kind = static_cast<AttributeKind>(number);
        break;
      }
      case 21: result.reference = fields.once().name(); break;
      case 22: content().sparses.push_back(sparse(fields.once().bytes())); break;
      case 23: content().sparses.push_back(sparse(fields.bytes())); break;
      default: break;
    }
  }
  if (result.kind == AttributeKind::undefined) result.kind = found;
  if (found != AttributeKind::undefined && found != result.kind) result.several_kinds = true;
  return result;
}

Node Decoder::node(Bytes message) {
  Node node;
  for (WireReader fields(fault_, message); fields.next();) {
    switch (fields.number()) {
      case 1:
        node.inputs.push_back(fields.name());
        count(names_, kValueNamesMax, "limit-value-names", fields);
        break;
      case 2:
        node.outputs.push_back(fields.name());
        count(names_, kValueNamesMax, "limit-value-names", fields);
        break;
      case 3: node.name = fields.once().name(); break;
      case 4: node.op_type = fields.once().name(); break;
      case 5:
        count(attributes_, kAttributesMax, "limit-attributes", fields);
        if (node.attributes.size() >= kNodeAttributesMax) fields.raise("limit-node-attributes");
        node.attributes.push_back(attribute(fields.bytes()));
        break;
      case 7: node.domain = without_alias(fields.once().name()); break;
      case 8: node.overload = fields.once().name(); break;
      default: break;
    }
  }
  return node;
}

Graph Decoder::graph(Bytes message) {
  Graph graph;
  WireReader fields(fault_, message);
  if (++graph_depth_ > kGraphNestingMax) fault_.raise("limit-graph-nesting", message.data());
  count(graphs_, kGraphsMax, "limit-graphs", fields);
  while (fields.next()) {
    switch (fields.number()) {
      case 1:
        count(nodes_, kNodesMax, "limit-nodes", fields);
        graph.nodes.push_back(node(fields.bytes()));
        break;
      case 5: graph.initializers.push_back(tensor(fields.bytes())); break;
      case 11:
        graph.inputs.push_back(value(fields.bytes()));
        count(names_, kValueNamesMax, "limit-value-names", fields);
        break;
      case 12:
        graph.outputs.push_back(value(fields.bytes()));
        count(names_, kValueNamesMax, "limit-value-names", fields);
        break;
      case 13:
      case 14: skim(fields.bytes()); break;
      case 15: graph.sparse_initializers.push_back(sparse(fields.bytes())); break;
      default: break;
    }
  }
  --graph_depth_;
  return graph;
}

OpsetImport Decoder::import(Bytes message) {
  OpsetImport import;
  for (WireReader fields(fault_, message); fields.next();) {
    if (fields.number() == 1) import.domain = without_alias(fields.once().name());
    if (fields.number() == 2) import.version = static_cast<std::int64_t>(fields.once().varint());
  }
  return import;
}

Function Decoder::function(Bytes message) {
  Function function;
  for (WireReader fields(fault_, message); fields.next();) {
    switch (fields.number()) {
      case 1: function.name = fields.once().name(); break;
      case 4:
      case 5:
      case 6: {
        auto& names = fields.number() == 4   ? function.inputs
                      : fields.number() == 5 ? function.outputs
                                             : function.attributes;
        names.push_back(fields.name());
        count(names_, kValueNamesMax, "limit-value-names", fields);
        break;
      }
      case 7:
        count(nodes_, kNodesMax, "limit-nodes", fields);
        function.nodes.push_back(node(fields.bytes()));
        break;
      case 9:
        count(imports_, kOpsetImportsMax, "limit-opset-imports", fields);
        function.imports.push_back(import(fields.bytes()));
        break;
      case 10: function.domain = without_alias(fields.once().name()); break;
      case 11:
        count(attributes_, kAttributesMax, "limit-attributes", fields);
        if (function.defaults.size() >= kNodeAttributesMax) fields.raise("limit-node-attributes");
        function.defaults.push_back(attribute(fields.bytes()));
        break;
      case 13: function.overload = fields.once().name(); break;
      default: break;
    }
  }
  return function;
}

Model Decoder::model(Bytes message) {
  Model model;
  for (WireReader fields(fault_, message); fields.next();) {
    switch (fields.number()) {
      case 1: model.ir_version = static_cast<std::int64_t>(fields.once().varint()); break;
      case 7:
        model.graph = graph(fields.once().bytes());
        model.has_graph = true;
        break;
      case 8:
        count(imports_, kOpsetImportsMax, "limit-opset-imports", fields);
        model.imports.push_back(import(fields.bytes()));
        break;
      case 20: model.has_training = true; break;
      case 25:
        count(functions_, kFunctionsMax, "limit-functions", fields);
        model.functions.push_back(function(fields.bytes()));
        break;
      default: break;
    }
  }
  return model;
}

}  // namespace

Attribute::Attribute() = default;
Attribute::Attribute(Attribute&&) noexcept = default;
Attribute& Attribute::operator=(Attribute&&) noexcept = default;
Attribute::~Attribute() = default;

std::variant<Model, WireFault> decode_model(Bytes file) {
  Decoder decoder(file);
  Model model = decoder.model(file);
  if (decoder.fault().raised()) return decoder.fault();
  return model;
}

}  // namespace cloister
