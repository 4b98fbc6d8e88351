#include "base/result.h"

namespace cloister {

const char* name_of(Code code) noexcept {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::unauthenticated: return "unauthenticated";
    case Code::denied: return "denied";
    case Code::not_found: return "not_found";
    case Code::conflict: return "conflict";
    case Code::too_large: return "too_large";
    case Code::unsupported: return "unsupported";
    case Code::refused: return "refused";
    case Code::busy: return "busy";
    case Code::unavailable: return "unavailable";
    case Code::deadline: return "deadline";
    case Code::unverified: return "unverified";
    case Code::corrupt: return "corrupt";
    case Code::io: return "io";
    case Code::internal: return "internal";
  }
  return "internal";
}

}  // namespace cloister
