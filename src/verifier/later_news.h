#pragma once

#include "verifier/verdict.h"

namespace cloister {

/// What collateral of a later day tells about evidence that was good before.
enum class LaterNews {
  none,     ///< it holds, and nothing in it revokes the platform or a key in its chain
  revoked,
  unknown,  ///< it is missing, or does not hold at the time that it was judged at, or is another's
};

/// What the collateral that `later` was judged with tells. The end of a certificate's life and a
/// platform that has fallen behind are no news.
LaterNews news_of(const Verdict& later) noexcept;
/// "none", "revoked", "unknown".
const char* name_of(LaterNews news) noexcept;

}  // namespace cloister
