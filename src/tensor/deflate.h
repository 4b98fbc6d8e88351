#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// How a deflate stream is wrapped: not at all (RFC 1951, as ZIP has it), as zlib (RFC 1950, which
/// HTTP calls "deflate"), as gzip (RFC 1952).
enum class DeflateForm { raw, zlib, gzip };

/// Inflates a raw deflate stream (RFC 1951) that is all of `deflated` and yields exactly
/// `destination`. Never writes past it. Fails: `invalid`; `internal` without memory.
/// Implemented by tensor/libdeflate.
Status inflate_exactly(Bytes deflated, MutableBytes destination);

/// Inflates one stream of `form` that is all of `deflated`, checksum included, into the front of
/// `destination`; how many bytes it yields. Never writes past the end.
/// Fails: `too_large` where it would yield more; `invalid`; `internal` without memory.
Result<std::size_t> inflate_up_to(Bytes deflated, DeflateForm form, MutableBytes destination);

/// Bytes that deflate_into needs at most for `size` bytes of input.
std::uint64_t deflate_bound(std::uint64_t size) noexcept;

/// Deflates `bytes` as one stream of `form` into the front of `destination`; how many bytes it
/// takes. What the library copies of them is wiped.
/// Fails: `too_large` where the destination is too short; `internal` without memory.
Result<std::size_t> deflate_into(Bytes bytes, DeflateForm form, MutableBytes destination);

/// CRC-32 (ISO 3309, as ZIP uses it) of `bytes` after what `before` is the CRC-32 of; 0 at first.
std::uint32_t crc32_of(Bytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace cloister
