#pragma once

#include <string_view>

namespace cloister {

/// rules/operators.txt: one version of one operator a line, sorted by domain, name and version.
/// domain name since deprecated|- inputs_min inputs_max|* outputs_min outputs_max attribute:kind[!]
extern const std::string_view kOperatorText;

}  // namespace cloister
