#include "graph/rules/operators.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "graph/limits.h"
#include "graph/rules/internal_operators.h"
#include "graph/rules/operator_text.h"

namespace cloister {
namespace {

/// The part of `text` up to `separator`, which is taken off together with it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::uint64_t number_of(std::string_view text) {
  if (text == "*") return UINT64_MAX;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CLOISTER_CHECK(error == std::errc{} && end == text.data() + text.size());
  return value;
}

OperatorVersion version_of(std::string_view line) {
  OperatorVersion version;
  version.domain = take_until(line, ' ');
  version.name = take_until(line, ' ');
  version.since = static_cast<std::int64_t>(number_of(take_until(line, ' ')));
  version.deprecated = take_until(line, ' ') == "deprecated";
  version.inputs_min = number_of(take_until(line, ' '));
  version.inputs_max = number_of(take_until(line, ' '));
  version.outputs_min = number_of(take_until(line, ' '));
  version.outputs_max = number_of(take_until(line, ' '));
  version.attributes = line;
  return version;
}

std::string_view spelled_out(std::string_view domain) noexcept {
  return domain.empty() ? "ai.onnx" : domain;
}

AttributeKind kind_named(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, AttributeKind>, 14> kNames{{
      {"real", AttributeKind::real}, {"integer", AttributeKind::integer},
      {"string", AttributeKind::string}, {"tensor", AttributeKind::tensor},
      {"graph", AttributeKind::graph}, {"reals", AttributeKind::reals},
      {"integers", AttributeKind::integers}, {"strings", AttributeKind::strings},
      {"tensors", AttributeKind::tensors}, {"graphs", AttributeKind::graphs},
      {"sparse", AttributeKind::sparse}, {"sparses", AttributeKind::sparses},
      {"type", AttributeKind::type}, {"types", AttributeKind::types},
  }};
  for (const auto& [text, kind] : kNames) {
    if (text == name) return kind;
  }
  return AttributeKind::undefined;
}

}  // namespace

std::vector<AttributeRule> attribute_rules(const OperatorVersion& version) {
  std::vector<AttributeRule> rules;
  for (std::string_view rest = version.attributes; !rest.empty();) {
    std::string_view part = take_until(rest, ' ');
    AttributeRule rule;
    rule.name = take_until(part, ':');
    rule.required = part.ends_with('!');
    if (rule.required) part.remove_suffix(1);
    rule.kind = kind_named(part);
    rules.push_back(rule);
  }
  return rules;
}

OperatorTable::OperatorTable(Contents contents) {
  const auto add_all = [this](std::string_view rest) {
    while (!rest.empty()) {
      const std::string_view line = take_until(rest, '\n');
      if (!line.empty()) versions_.push_back(version_of(line));
    }
  };
  add_all(kOperatorText);
  if (contents == Contents::with_internal) add_all(kInternalOperatorText);
  std::sort(versions_.begin(), versions_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.domain, a.name, a.since) < std::tie(b.domain, b.name, b.since);
  });
}

std::int64_t OperatorTable::opset_max(std::string_view domain) noexcept {
  if (domain.empty()) return kOpsetMax;
  if (domain == "ai.onnx.ml") return kMlOpsetMax;
  const bool microsoft = domain == "com.microsoft" || domain == kInternalDomain;
  return microsoft ? kMicrosoftOpsetMax : 0;
}

const OperatorVersion* OperatorTable::find(std::string_view domain, std::string_view name,
                                           std::int64_t opset) const noexcept {
  const auto key = std::make_tuple(spelled_out(domain), name, opset);
  const auto after = std::upper_bound(
      versions_.begin(), versions_.end(), key,
      [](const auto& wanted, const OperatorVersion& version) {
        return wanted < std::make_tuple(version.domain, version.name, version.since);
      });
  if (after == versions_.begin()) return nullptr;
  const OperatorVersion& version = *std::prev(after);
  const bool same = version.domain == spelled_out(domain) && version.name == name;
  return same ? &version : nullptr;
}

bool OperatorTable::knows(std::string_view domain, std::string_view name) const noexcept {
  return find(domain, name, INT64_MAX) != nullptr;
}

}  // namespace cloister
