#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/onnx/proto.h"

namespace cloister {

// How checks read the attributes of one node. Kinds were checked before.

/// The attribute of that name; null if there is none.
const Attribute* find_attribute(const Node& node, std::string_view name) noexcept;

std::int64_t integer_attribute(const Node& node, std::string_view name, std::int64_t otherwise);
std::string_view text_attribute(const Node& node, std::string_view name,
                                std::string_view otherwise);
/// A list of at most `max` integers; nothing where it is absent or longer.
std::optional<std::vector<std::int64_t>> integers_attribute(const Node& node,
                                                            std::string_view name,
                                                            std::size_t max);
/// How many values a list has, or how many elements a tensor; 0 where it is absent.
std::uint64_t length_attribute(const Node& node, std::string_view name);
/// The tensor of a tensor attribute; null if there is none.
const Tensor* tensor_attribute(const Node& node, std::string_view name) noexcept;

}  // namespace cloister
