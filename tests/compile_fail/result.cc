// What the types of base/result.h must not allow.
#include "base/result.h"

#include <string>

namespace cloister {

struct DetailForTest {
  static const std::string& text(const Detail& detail) { return detail.reveal(DetailToken()); }
};

Status attempt() { return Done{}; }

std::string use(const char* input) {
  CLOISTER_CHECK(attempt().ok());
#ifdef CASE_ignored_result
  attempt();
#endif
  const Error error{Code::invalid, "literal", Detail(input)};
#ifdef CASE_place_from_input
  const Error other{Code::invalid, input};
#endif
#ifdef CASE_detail_without_token
  return error.detail.reveal(DetailToken());
#endif
  return DetailForTest::text(error.detail);
}

}  // namespace cloister
