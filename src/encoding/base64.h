#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// RFC 4648, section 4: the standard alphabet, padded.
std::string base64_encode(Bytes bytes);
/// RFC 4648, section 5: the URL alphabet, without padding.
std::string base64url_encode(Bytes bytes);

/// The only bytes that encode to `text`: padding as the encoder writes it, no blanks, no unused
/// bits set. Fails: `invalid`.
Result<ByteVector> base64_decode(std::string_view text);
/// The same, written to `destination`, which has room for the bytes and may lie over `text` itself;
/// how many there are. Leaves no copy elsewhere. Fails: `invalid`, `too_large`.
Result<std::size_t> base64_decode_to(std::string_view text, MutableBytes destination);
Result<ByteVector> base64url_decode(std::string_view text);

}  // namespace cloister
