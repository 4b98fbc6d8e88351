#include <algorithm>
#include <tuple>

#include "graph/rules/rules.h"

namespace cloister {
namespace {

auto key_of(const Function& function) noexcept {
  return std::tie(function.domain, function.name, function.overload);
}

}  // namespace

FunctionIndex::FunctionIndex(const std::vector<Function>& functions) {
  for (const Function& function : functions) sorted_.push_back(&function);
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const Function* a, const Function* b) { return key_of(*a) < key_of(*b); });
}

const Function* FunctionIndex::find(std::string_view domain, std::string_view name,
                                    std::string_view overload) const noexcept {
  const auto key = std::tie(domain, name, overload);
  const auto at = std::lower_bound(
      sorted_.begin(), sorted_.end(), key,
      [](const Function* one, const auto& wanted) { return key_of(*one) < wanted; });
  return at != sorted_.end() && key_of(**at) == key ? *at : nullptr;
}

ImportIndex::ImportIndex(const std::vector<OpsetImport>& imports) {
  for (const OpsetImport& import : imports) sorted_.push_back(&import);
  std::stable_sort(
      sorted_.begin(), sorted_.end(),
      [](const OpsetImport* a, const OpsetImport* b) { return a->domain < b->domain; });
}

std::int64_t ImportIndex::version(std::string_view domain) const noexcept {
  const auto at = std::lower_bound(
      sorted_.begin(), sorted_.end(), domain,
      [](const OpsetImport* one, std::string_view wanted) { return one->domain < wanted; });
  return at != sorted_.end() && (*at)->domain == domain ? (*at)->version : 0;
}

}  // namespace cloister
