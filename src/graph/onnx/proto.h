#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/onnx/wire.h"

namespace cloister {

// The messages of onnx-ml.proto (IR version 13) as far as they bear on what a model computes. All
// names and bytes are views into the file. Source: ONNX 1.21, onnx-ml.proto.

/// TensorProto.DataType.
enum class ElementType : std::uint8_t {
  undefined = 0, f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, string = 8,
  boolean = 9, f16 = 10, f64 = 11, u32 = 12, u64 = 13, complex64 = 14, complex128 = 15, bf16 = 16,
  f8e4m3fn = 17, f8e4m3fnuz = 18, f8e5m2 = 19, f8e5m2fnuz = 20, u4 = 21, i4 = 22, f4e2m1 = 23,
  f8e8m0 = 24, u2 = 25, i2 = 26
};
inline constexpr std::uint64_t kElementTypeMax = 26;

/// A repeated numeric or bytes field, left where it lies: `count` values of field `number` in
/// `message`. When all of them stand in one packed run, `run` is that run and `packed` is set.
struct Repeated {
  Bytes message;
  std::uint32_t number = 0;
  std::uint64_t count = 0;
  Bytes run;
  bool packed = false;
};

/// Where a TensorProto keeps its values; `none` is an empty tensor's.
enum class TensorStorage : std::uint8_t {
  none, raw, floats, ints32, strings, ints64, doubles, unsigned64
};

struct Tensor {
  std::string_view name;
  ElementType type = ElementType::undefined;
  TensorStorage storage = TensorStorage::none;
  bool several_storages = false;
  bool segmented = false;
  bool external = false;  ///< data_location says so, or there are external_data entries
  bool negative_extent = false;
  std::vector<std::uint64_t> dims;
  Bytes raw;
  Repeated values;
  std::vector<std::pair<std::string_view, std::string_view>> external_data;
};

struct SparseTensor {
  Tensor values;
  Tensor indices;
  std::vector<std::uint64_t> dims;
  bool negative_extent = false;
};

/// One dimension of a declared shape: a number, a symbol, or nothing known.
struct Dimension {
  enum class Kind : std::uint8_t { open, value, symbol };
  Kind kind = Kind::open;
  std::int64_t value = 0;
  std::string_view symbol;
};

/// TypeProto.
struct ValueType {
  enum class Kind : std::uint8_t { none, tensor, sequence, map, optional, sparse };
  Kind kind = Kind::none;
  ElementType element = ElementType::undefined;  ///< of a tensor; the key of a map
  bool has_shape = false;
  std::vector<Dimension> shape;
  std::vector<ValueType> inner;  ///< one, of a sequence, map or optional
};

/// ValueInfoProto.
struct Value {
  std::string_view name;
  ValueType type;
};

/// AttributeProto.AttributeType.
enum class AttributeKind : std::uint8_t {
  undefined = 0, real = 1, integer = 2, string = 3, tensor = 4, graph = 5, reals = 6, integers = 7,
  strings = 8, tensors = 9, graphs = 10, sparse = 11, sparses = 12, type = 13, types = 14
};
inline constexpr std::uint64_t kAttributeKindMax = 14;

struct Graph;
struct AttributeContent;

struct Attribute {
  Attribute();
  Attribute(Attribute&&) noexcept;
  Attribute& operator=(Attribute&&) noexcept;
  ~Attribute();

  std::string_view name;
  std::string_view reference;     ///< attribute of the enclosing function that this one stands for
  AttributeKind kind = AttributeKind::undefined;
  bool several_kinds = false;     ///< its fields disagree with its kind, or with each other
  std::uint64_t scalar = 0;       ///< an integer, or the bits of a real
  Bytes text;                     ///< of a string
  Repeated values;                ///< of reals, integers and strings
  std::unique_ptr<AttributeContent> content;  ///< messages; none for the other kinds
};

struct Node {
  std::string_view name;
  std::string_view op_type;
  std::string_view domain;    ///< "" for ai.onnx, however the file spells it
  std::string_view overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<Attribute> attributes;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<SparseTensor> sparse_initializers;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
};

struct AttributeContent {
  std::vector<Tensor> tensors;
  std::vector<SparseTensor> sparses;
  std::vector<ValueType> types;
  std::vector<Graph> graphs;
};

struct OpsetImport {
  std::string_view domain;  ///< "" for ai.onnx
  std::int64_t version = 0;
};

/// A model-local function.
struct Function {
  std::string_view domain;
  std::string_view name;
  std::string_view overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<std::string_view> attributes;
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;
  std::vector<OpsetImport> imports;
};

struct Model {
  std::int64_t ir_version = 0;
  std::vector<OpsetImport> imports;
  bool has_graph = false;
  bool has_training = false;
  Graph graph;
  std::vector<Function> functions;
};

/// Calls `visit(std::uint64_t)` with each value of a numeric field: a varint as it stands, or the
/// bits of a fixed-width number. The field was read before, so that nothing can be wrong in it.
template <class Visit>
void for_each_number(const Repeated& values, std::size_t width, Visit&& visit) {
  const auto run = [&](Bytes rest) {
    while (!rest.empty()) {
      if (width == 0) {
        visit(take_varint(rest).value_or(0));
        continue;
      }
      std::uint64_t bits = 0;
      for (std::size_t i = width; i-- > 0;) {
        bits = (bits << 8) | std::to_integer<std::uint64_t>(rest[i]);
      }
      rest = rest.subspan(width);
      visit(bits);
    }
  };
  if (values.packed) return run(values.run);
  WireFault fault(values.message);
  for (WireReader fields(fault, values.message); fields.next();) {
    if (fields.number() != values.number) continue;
    if (fields.type() == WireType::bytes) run(fields.bytes());
    else if (width == 0) visit(fields.varint());
    else visit(width == 4 ? fields.fixed32() : fields.fixed64());
  }
}

/// Calls `visit(Bytes)` with each element of a repeated string field.
template <class Visit>
void for_each_string(const Repeated& values, Visit&& visit) {
  WireFault fault(values.message);
  for (WireReader fields(fault, values.message); fields.next();) {
    if (fields.number() == values.number) visit(fields.bytes());
  }
}

}  // namespace cloister
