#include "graph/findings.h"

#include <utility>

#include "graph/limits.h"

namespace cloister {

std::string quoted(std::string_view name) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char letter : name.substr(0, kFindingQuoteMax)) {
    const auto code = static_cast<unsigned char>(letter);
    if (code >= 0x20 && code < 0x7f && letter != '"' && letter != '\\') {
      text += letter;
    } else {
      text += "\\x";
      text += kHex[code >> 4];
      text += kHex[code & 15];
    }
  }
  if (name.size() > kFindingQuoteMax) text += "...";
  return text + "\"";
}

std::string Where::text() const {
  std::string text = outer == nullptr ? "" : outer->text();
  if (!text.empty() && *kind != '\0') text += '.';
  text += kind;
  if (index >= 0) text += "[" + std::to_string(index) + "]";
  if (!name.empty()) text += " " + quoted(name);
  return text;
}

void FindingList::add(const char* rule, const Where& where, std::string remedy) {
  if (findings_.size() >= kFindingsMax) {
    ++withheld_;
    return;
  }
  findings_.push_back({rule, where.text(), std::move(remedy)});
}

std::vector<Finding> FindingList::take() && {
  if (withheld_ != 0) {
    findings_.push_back({"more", "", std::to_string(withheld_) + " more findings are not listed"});
  }
  return std::move(findings_);
}

}  // namespace cloister
