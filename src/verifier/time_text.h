#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace cloister {

/// "2026-01-31T23:59:59Z" (RFC 3339, UTC, whole seconds).
std::string time_text(UtcSeconds time);
/// The time of exactly that form, or of the form with "+00:00" for Z; nothing for any other text.
std::optional<UtcSeconds> time_of(std::string_view text);

}  // namespace cloister
