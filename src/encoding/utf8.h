#pragma once

#include <cstddef>
#include <string_view>

namespace cloister {

/// Bytes of the well-formed UTF-8 sequence that `rest` begins with: 1 to 4, or 0 where there is
/// none (overlong forms, surrogates and values past U+10FFFF included).
/// Source: Unicode 15, table 3-7.
std::size_t utf8_sequence_bytes(std::string_view rest) noexcept;

/// Whether all of `text` is well-formed UTF-8.
bool is_utf8(std::string_view text) noexcept;

}  // namespace cloister
