#include "graph/rules/attributes.h"

#include <algorithm>

#include "graph/onnx/tensor_content.h"

namespace cloister {

const Attribute* find_attribute(const Node& node, std::string_view name) noexcept {
  const auto at = std::find_if(node.attributes.begin(), node.attributes.end(),
                               [&](const Attribute& one) { return one.name == name; });
  return at == node.attributes.end() ? nullptr : &*at;
}

std::int64_t integer_attribute(const Node& node, std::string_view name, std::int64_t otherwise) {
  const Attribute* attribute = find_attribute(node, name);
  if (attribute == nullptr || attribute->kind != AttributeKind::integer) return otherwise;
  return static_cast<std::int64_t>(attribute->scalar);
}

std::string_view text_attribute(const Node& node, std::string_view name,
                                std::string_view otherwise) {
  const Attribute* attribute = find_attribute(node, name);
  if (attribute == nullptr || attribute->kind != AttributeKind::string) return otherwise;
  return text_of(attribute->text);
}

std::optional<std::vector<std::int64_t>> integers_attribute(const Node& node,
                                                            std::string_view name,
                                                            std::size_t max) {
  const Attribute* attribute = find_attribute(node, name);
  if (attribute == nullptr || attribute->kind != AttributeKind::integers) return std::nullopt;
  if (attribute->values.count > max) return std::nullopt;
  std::vector<std::int64_t> values;
  values.reserve(attribute->values.count);
  for_each_number(attribute->values, 0, [&](std::uint64_t value) {
    values.push_back(static_cast<std::int64_t>(value));
  });
  return values;
}

std::uint64_t length_attribute(const Node& node, std::string_view name) {
  const Attribute* attribute = find_attribute(node, name);
  if (attribute == nullptr) return 0;
  if (const Tensor* tensor = tensor_attribute(node, name)) {
    return element_count(*tensor).value_or(0);
  }
  return attribute->values.count;
}

const Tensor* tensor_attribute(const Node& node, std::string_view name) noexcept {
  const Attribute* attribute = find_attribute(node, name);
  if (attribute == nullptr || attribute->kind != AttributeKind::tensor || !attribute->content ||
      attribute->content->tensors.empty()) {
    return nullptr;
  }
  return &attribute->content->tensors[0];
}

}  // namespace cloister
