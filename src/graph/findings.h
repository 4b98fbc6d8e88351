#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/validated_model.h"

namespace cloister {

/// Where in the model a check is, as a chain on the stack; the text is made for findings only.
struct Where {
  const Where* outer = nullptr;
  const char* kind = "";           ///< "node", "initializer", "attribute"
  std::int64_t index = -1;         ///< place in its list, or -1
  std::string_view name{};         ///< as the model gives it; quoted, shortened, made printable

  /// `graph.node[3] "conv1".attribute "value"`.
  std::string text() const;
};

/// `name` in quotes, at most kFindingQuoteMax bytes of it, everything unprintable as `\xNN`.
std::string quoted(std::string_view name);

/// Gathers the reasons against a model, at most kFindingsMax of them; the last one then says how
/// many more there were.
class FindingList {
 public:
  void add(const char* rule, const Where& where, std::string remedy);
  bool empty() const noexcept { return findings_.empty(); }
  std::uint64_t count() const noexcept { return findings_.size() + withheld_; }
  std::vector<Finding> take() &&;

 private:
  std::vector<Finding> findings_;
  std::uint64_t withheld_ = 0;
};

}  // namespace cloister
