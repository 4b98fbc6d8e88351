#pragma once

#include <string_view>

namespace cloister {

/// The phrase of a status line for a status that our answers have; "Answer" for any other.
/// Source: RFC 9110, 15.
std::string_view reason_phrase(int status) noexcept;

}  // namespace cloister
