#include <algorithm>

#include "model/model.h"

namespace cloister {
namespace {

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

}  // namespace

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kModelNameMax &&
         std::ranges::all_of(name, is_name_character);
}

}  // namespace cloister
