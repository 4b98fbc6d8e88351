#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace cloister {

/// Nodes of decision trees, by index. A child is the index of another node, or kLeaf.
struct Forest {
  static constexpr std::uint32_t kLeaf = UINT32_MAX;
  std::vector<std::uint32_t> yes;
  std::vector<std::uint32_t> no;
  std::vector<std::uint32_t> roots;  ///< empty: the nodes that nothing points to
};

/// What is wrong with a forest, in words: a child that is no node, a node reached in two ways, a
/// cycle, a path longer than kTreeDepthMax. Nothing when every node is part of exactly one tree.
std::optional<const char*> fault_of(const Forest& forest);

}  // namespace cloister
