#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Inflates a raw deflate stream (RFC 1951) that is all of `deflated` and yields exactly
/// `destination`. Never writes past it. Fails: `invalid`; `internal` without memory.
/// Implemented by tensor/zlib.
Status inflate_exactly(Bytes deflated, MutableBytes destination);

/// CRC-32 (ISO 3309, as ZIP uses it) of `bytes` after what `before` is the CRC-32 of; 0 at first.
std::uint32_t crc32_of(Bytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace cloister
