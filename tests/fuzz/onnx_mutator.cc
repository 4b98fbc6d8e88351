// Mutates ONNX models as trees of fields, so that lengths stay right and what changes is the model:
// fields are dropped, doubled, moved and copied between messages of one kind, names point to other
// values, operators become other operators. A part of the inputs is mutated as bytes instead.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "graph/rules/operator_text.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

namespace cloister {
namespace {

enum class Kind : std::uint8_t {
  leaf, model, graph, node, attribute, tensor, sparse, value, type, tensor_type, shape, dimension,
  sequence_type, map_type, optional_type, function, opset, entry, training
};

struct Child {
  Kind parent;
  std::uint32_t number;
  Kind kind;
};

// The length-delimited fields that are messages. Source: ONNX 1.21, onnx-ml.proto.
constexpr Child kChildren[] = {
    {Kind::model, 7, Kind::graph}, {Kind::model, 8, Kind::opset}, {Kind::model, 14, Kind::entry},
    {Kind::model, 20, Kind::training}, {Kind::model, 25, Kind::function},
    {Kind::graph, 1, Kind::node}, {Kind::graph, 5, Kind::tensor}, {Kind::graph, 11, Kind::value},
    {Kind::graph, 12, Kind::value}, {Kind::graph, 13, Kind::value},
    {Kind::graph, 15, Kind::sparse}, {Kind::node, 5, Kind::attribute},
    {Kind::attribute, 5, Kind::tensor}, {Kind::attribute, 6, Kind::graph},
    {Kind::attribute, 10, Kind::tensor}, {Kind::attribute, 11, Kind::graph},
    {Kind::attribute, 14, Kind::type}, {Kind::attribute, 15, Kind::type},
    {Kind::attribute, 22, Kind::sparse}, {Kind::attribute, 23, Kind::sparse},
    {Kind::tensor, 13, Kind::entry}, {Kind::sparse, 1, Kind::tensor},
    {Kind::sparse, 2, Kind::tensor}, {Kind::value, 2, Kind::type},
    {Kind::type, 1, Kind::tensor_type}, {Kind::type, 4, Kind::sequence_type},
    {Kind::type, 5, Kind::map_type}, {Kind::type, 8, Kind::tensor_type},
    {Kind::type, 9, Kind::optional_type}, {Kind::tensor_type, 2, Kind::shape},
    {Kind::shape, 1, Kind::dimension}, {Kind::sequence_type, 1, Kind::type},
    {Kind::optional_type, 1, Kind::type}, {Kind::map_type, 2, Kind::type},
    {Kind::function, 7, Kind::node}, {Kind::function, 9, Kind::opset},
    {Kind::function, 11, Kind::attribute}, {Kind::training, 1, Kind::graph},
    {Kind::training, 2, Kind::graph},
};

Kind kind_of(Kind parent, std::uint32_t number) {
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.number == number) return child.kind;
  }
  return Kind::leaf;
}

constexpr std::size_t kDepthMax = 64;

struct Field {
  std::uint32_t number = 0;
  std::uint8_t wire = 0;
  Kind kind = Kind::leaf;
  std::uint64_t scalar = 0;
  std::string bytes;
  std::vector<Field> fields;
};

bool take_number(std::string_view& rest, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(rest[0]);
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool take_fixed(std::string_view& rest, std::size_t width, std::uint64_t& value) {
  if (rest.size() < width) return false;
  std::memcpy(&value, rest.data(), width);
  rest.remove_prefix(width);
  return true;
}

/// Reads a message into fields; false where it is not well formed.
bool parse(std::string_view rest, Kind kind, std::size_t depth, std::vector<Field>& out) {
  if (depth > kDepthMax) return false;
  while (!rest.empty()) {
    Field field;
    std::uint64_t tag = 0;
    if (!take_number(rest, tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return false;
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.wire = tag & 7;
    if (field.wire == 0) {
      if (!take_number(rest, field.scalar)) return false;
    } else if (field.wire == 1 || field.wire == 5) {
      if (!take_fixed(rest, field.wire == 1 ? 8 : 4, field.scalar)) return false;
    } else if (field.wire == 2) {
      std::uint64_t length = 0;
      if (!take_number(rest, length) || length > rest.size()) return false;
      field.bytes = rest.substr(0, length);
      rest.remove_prefix(length);
      field.kind = kind_of(kind, field.number);
      if (field.kind != Kind::leaf && !parse(field.bytes, field.kind, depth + 1, field.fields)) {
        return false;
      }
    } else {
      return false;
    }
    out.push_back(std::move(field));
  }
  return true;
}

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7f) | 0x80));
  out.push_back(static_cast<char>(value));
}

std::string written(const std::vector<Field>& fields) {
  std::string out;
  for (const Field& field : fields) {
    put_number(out, static_cast<std::uint64_t>(field.number) << 3 | field.wire);
    if (field.wire == 0) {
      put_number(out, field.scalar);
    } else if (field.wire != 2) {
      out.append(reinterpret_cast<const char*>(&field.scalar), field.wire == 1 ? 8 : 4);
    } else {
      const std::string content = field.kind == Kind::leaf ? field.bytes : written(field.fields);
      put_number(out, content.size());
      out += content;
    }
  }
  return out;
}

/// A place in the tree: the list that holds a field, and the field's place in it.
struct Spot {
  std::vector<Field>* list;
  std::size_t index;
  Kind parent;
  Field& field() const { return (*list)[index]; }
};

void gather(std::vector<Field>& list, Kind parent, std::vector<Spot>& spots) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    spots.push_back({&list, i, parent});
    gather(list[i].fields, list[i].kind, spots);
  }
}

class Mutation {
 public:
  Mutation(std::vector<Field>& root, unsigned seed) : root_(root), random_(seed) {
    gather(root_, Kind::model, spots_);
  }
  std::size_t below(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }
  bool empty() const { return spots_.empty(); }

  void change() {
    const Spot spot = spots_[below(spots_.size())];
    switch (below(10)) {
      case 0: spot.list->erase(spot.list->begin() + at(spot.index)); break;
      case 1: add(spot, Field(spot.field())); break;
      case 2: std::swap(spot.field(), (*spot.list)[below(spot.list->size())]); break;
      case 3: copy_from(spot, spots_); break;
      case 4: rename(spot); break;
      case 5: operate(); break;
      default: edit(spot); break;
    }
  }

  /// Brings one field of `other` into a message of the same kind, or in place of a like one.
  void cross(std::vector<Field>& other) {
    std::vector<Spot> theirs;
    gather(other, Kind::model, theirs);
    if (theirs.empty()) return;
    copy_from(spots_[below(spots_.size())], theirs);
  }

 private:
  static std::ptrdiff_t at(std::size_t index) { return static_cast<std::ptrdiff_t>(index); }

  void add(const Spot& spot, Field field) {
    const std::size_t place = below(spot.list->size() + 1);
    spot.list->insert(spot.list->begin() + at(place), std::move(field));
  }

  void copy_from(const Spot& spot, const std::vector<Spot>& from) {
    std::vector<const Field*> like;
    const bool replace = below(2) == 0;
    for (const Spot& one : from) {
      const bool same = replace ? one.field().kind == spot.field().kind &&
                                      one.field().wire == spot.field().wire
                                : one.parent == spot.parent;
      if (same) like.push_back(&one.field());
    }
    if (like.empty()) return;
    Field copy = *like[below(like.size())];
    if (!replace) return add(spot, std::move(copy));
    copy.number = spot.field().number;
    spot.field() = std::move(copy);
  }

  /// Has a name be another one of the model.
  void rename(const Spot& near) {
    const auto is_name = [](const Spot& spot) {
      const std::uint32_t number = spot.field().number;
      if (spot.field().wire != 2 || spot.field().kind != Kind::leaf) return false;
      if (spot.parent == Kind::node) return number <= 3;
      if (spot.parent == Kind::tensor) return number == 8;
      if (spot.parent == Kind::function) return number == 4 || number == 5;
      return spot.parent == Kind::value && number == 1;
    };
    std::vector<Spot> names;
    std::copy_if(spots_.begin(), spots_.end(), std::back_inserter(names), is_name);
    if (names.empty()) return edit(near);
    names[below(names.size())].field().bytes = names[below(names.size())].field().bytes;
  }

  std::string_view operator_line() {
    const std::size_t start = kOperatorText.find('\n', below(kOperatorText.size()));
    const std::string_view rest =
        start == std::string_view::npos ? kOperatorText : kOperatorText.substr(start + 1);
    return rest.substr(0, rest.find('\n'));
  }

  /// Has a node be another operator, or gives an attribute the name of one of an operator's.
  void operate() {
    std::vector<Spot> nodes;
    for (const Spot& spot : spots_) {
      if (spot.field().kind == Kind::node) nodes.push_back(spot);
    }
    if (nodes.empty()) return;
    Field& node = nodes[below(nodes.size())].field();
    const std::string_view line = operator_line();
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return;
    const std::string_view domain = line.substr(0, space);
    const std::string_view rest = line.substr(space + 1);
    const std::string name(rest.substr(0, rest.find(' ')));
    for (Field& field : node.fields) {
      if (field.number == 4 && field.wire == 2) field.bytes = name;
      if (field.number == 7 && field.wire == 2) field.bytes = domain;
    }
    name_attributes(node, rest);
  }

  void name_attributes(Field& node, std::string_view rest) {
    std::vector<std::string> names;
    for (std::size_t colon = rest.find(':'); colon != std::string_view::npos;
         colon = rest.find(':', colon + 1)) {
      const std::size_t start = rest.rfind(' ', colon);
      names.emplace_back(rest.substr(start + 1, colon - start - 1));
    }
    if (names.empty()) return;
    for (Field& attribute : node.fields) {
      if (attribute.kind != Kind::attribute) continue;
      for (Field& field : attribute.fields) {
        if (field.number == 1 && field.wire == 2) field.bytes = names[below(names.size())];
      }
    }
  }

  void edit(const Spot& spot) {
    Field& field = spot.field();
    if (field.wire == 2 && field.kind == Kind::leaf) {
      field.bytes = mutated(field.bytes);
    } else if (field.wire != 2) {
      field.scalar = number(field.scalar);
    } else {
      field.number = static_cast<std::uint32_t>(1 + below(26));
    }
  }

  std::string mutated(std::string bytes) {
    const std::size_t size = bytes.size();
    const std::size_t max = size + 16;
    bytes.resize(max);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, max));
    return bytes;
  }

  std::uint64_t number(std::uint64_t old) {
    static constexpr std::array<std::uint64_t, 16> kOdd{
        0, 1, 2, 3, 7, 16, 255, 1023, 1ULL << 20, INT32_MAX, 1ULL << 31, 1ULL << 40,
        static_cast<std::uint64_t>(INT64_MAX), 1ULL << 63, UINT64_MAX, UINT64_MAX - 1};
    switch (below(4)) {
      case 0: return old + 1;
      case 1: return old - 1;
      case 2: return below(32);
      default: return kOdd[below(kOdd.size())];
    }
  }

  std::vector<Field>& root_;
  std::vector<Spot> spots_;
  std::minstd_rand random_;
};

std::size_t keep(const std::string& model, std::uint8_t* data, std::size_t size,
                 std::size_t max) {
  if (model.empty() || model.size() > max) return LLVMFuzzerMutate(data, size, max);
  std::copy(model.begin(), model.end(), data);
  return model.size();
}

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace
}  // namespace cloister

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  using namespace cloister;
  std::vector<Field> model;
  const bool bytes = seed % 8 == 0;
  if (bytes || !parse(view(data, size), Kind::model, 0, model) || model.empty()) {
    return LLVMFuzzerMutate(data, size, max);
  }
  for (unsigned change = 0; change <= seed / 8 % 3; ++change) {
    Mutation mutation(model, seed + change);
    if (!mutation.empty()) mutation.change();
  }
  return keep(written(model), data, size, max);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* first, std::size_t first_size,
                                                 const std::uint8_t* second,
                                                 std::size_t second_size, std::uint8_t* out,
                                                 std::size_t out_max, unsigned seed) {
  using namespace cloister;
  std::vector<Field> model;
  std::vector<Field> other;
  if (!parse(view(first, first_size), Kind::model, 0, model) || model.empty() ||
      !parse(view(second, second_size), Kind::model, 0, other)) {
    return 0;
  }
  Mutation(model, seed).cross(other);
  const std::string crossed = written(model);
  if (crossed.size() > out_max) return 0;
  std::copy(crossed.begin(), crossed.end(), out);
  return crossed.size();
}
