#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/onnx/proto.h"

namespace cloister {

/// One version of one operator, as rules/operators.txt lists it.
struct OperatorVersion {
  std::string_view domain;  ///< "ai.onnx" spelled out
  std::string_view name;
  std::int64_t since = 0;   ///< first opset in which it stands so
  bool deprecated = false;
  std::uint64_t inputs_min = 0;
  std::uint64_t inputs_max = 0;   ///< UINT64_MAX: any number
  std::uint64_t outputs_min = 0;
  std::uint64_t outputs_max = 0;  ///< the same
  std::string_view attributes;    ///< "axis:integer keepdims:integer value:tensor!"
};

/// An attribute that an operator may have.
struct AttributeRule {
  std::string_view name;
  AttributeKind kind = AttributeKind::undefined;
  bool required = false;
};
std::vector<AttributeRule> attribute_rules(const OperatorVersion& version);

/// The operators that admission lets through: every other one is refused. Made from the text that
/// tests/operators/generate.py writes, which is part of the program.
class OperatorTable {
 public:
  enum class Contents {
    public_ones,
    with_internal,  ///< and those that the runtime's optimiser makes: rules/internal_operators.h
  };
  explicit OperatorTable(Contents contents = Contents::public_ones);

  /// Whether operators of this domain are known at all, and its greatest opset (0 if not).
  static std::int64_t opset_max(std::string_view domain) noexcept;

  /// The version of an operator in force at `opset`; null if there is none.
  /// `domain`: "" for ai.onnx.
  const OperatorVersion* find(std::string_view domain, std::string_view name,
                              std::int64_t opset) const noexcept;
  /// Whether any version of it is known.
  bool knows(std::string_view domain, std::string_view name) const noexcept;

 private:
  std::vector<OperatorVersion> versions_;  // by domain, name, since
};

}  // namespace cloister
