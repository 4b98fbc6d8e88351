#include "verifier/later_news.h"

#include <algorithm>

namespace cloister {

LaterNews news_of(const Verdict& later) noexcept {
  const auto revokes = [](const Refusal& each) { return each.rule == Rule::revoked; };
  if (std::ranges::any_of(later.refusals, revokes) || later.tcb_status == TcbStatus::revoked) {
    return LaterNews::revoked;
  }
  // A platform may fall behind and a certificate end; whatever else is refused says that the
  // collateral itself does not hold.
  const bool holds = std::ranges::all_of(later.refusals, [](const Refusal& each) {
    return each.rule == Rule::certificate_validity || each.rule == Rule::tcb_status ||
           each.rule == Rule::advisory || each.rule == Rule::minimum_tcb;
  });
  return later.authentic && holds ? LaterNews::none : LaterNews::unknown;
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
