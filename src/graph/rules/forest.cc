#include "graph/rules/forest.h"

#include <utility>

#include "graph/limits.h"

namespace cloister {

std::optional<const char*> fault_of(const Forest& forest) {
  const std::size_t count = forest.yes.size();
  std::vector<bool> has_parent(count, false);
  for (const auto* children : {&forest.yes, &forest.no}) {
    for (const std::uint32_t child : *children) {
      if (child == Forest::kLeaf) continue;
      if (child >= count) return "a branch points to no node";
      if (has_parent[child]) return "a node is reached in two ways";
      has_parent[child] = true;
    }
  }
  std::vector<std::uint32_t> level = forest.roots;
  for (const std::uint32_t root : level) {
    if (root >= count) return "a root is no node";
    if (has_parent[root]) return "a root is inside another tree";
  }
  if (level.empty()) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!has_parent[i]) level.push_back(i);
    }
  }
  std::size_t reached = 0;
  std::vector<std::uint32_t> next;
  for (std::size_t depth = 0; !level.empty(); ++depth) {
    if (depth > kTreeDepthMax) return "a path is deeper than the limit";
    reached += level.size();
    if (reached > count) return "a root stands twice";
    next.clear();
    for (const std::uint32_t node : level) {
      if (forest.yes[node] != Forest::kLeaf) next.push_back(forest.yes[node]);
      if (forest.no[node] != Forest::kLeaf) next.push_back(forest.no[node]);
    }
    std::swap(level, next);
  }
  // Every node has at most one parent here, so what no root reaches runs in a circle.
  if (reached != count) return "nodes form a cycle, or belong to no tree";
  return std::nullopt;
}

}  // namespace cloister
