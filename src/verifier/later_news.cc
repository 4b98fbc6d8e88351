#include "verifier/later_news.h"

#include <algorithm>

namespace cloister {

LaterNews news_of(const Verdict& later) noexcept {
  const auto is_refused_for = [&later](Rule rule) {
    return std::ranges::any_of(later.refusals,
                               [rule](const Refusal& each) { return each.rule == rule; });
  };
  if (is_refused_for(Rule::revoked) || later.tcb_status == TcbStatus::revoked) {
    return LaterNews::revoked;
  }
  const bool tells = later.authentic && !is_refused_for(Rule::collateral_missing);
  return tells ? LaterNews::none : LaterNews::unknown;
}

const char* name_of(LaterNews news) noexcept {
  switch (news) {
    case LaterNews::none: return "none";
    case LaterNews::revoked: return "revoked";
    case LaterNews::unknown: break;
  }
  return "unknown";
}

}  // namespace cloister
