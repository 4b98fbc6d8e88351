#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// `bytes` as lower-case hexadecimal digits, two for each byte.
std::string hex_encode(Bytes bytes);
/// The bytes that `text` spells in hexadecimal digits of either case. Fails: `invalid` for an odd
/// length or any other character.
Result<ByteVector> hex_decode(std::string_view text);

}  // namespace cloister
