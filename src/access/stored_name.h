#pragma once

#include <string>
#include <string_view>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "model/model.h"

namespace cloister {

/// How a name stands in what access keeps: its size in one byte, then the name, is_name().
inline void write_name(ByteWriter& writer, std::string_view name) {
  writer.u8(static_cast<std::uint8_t>(name.size()));
  writer.bytes(bytes_of(name));
}

/// Fails: `corrupt`, at `where` for what is no name.
inline Result<std::string> read_name(ByteReader& reader, Place where) {
  CLOISTER_ASSIGN(const std::uint8_t size, reader.u8());
  CLOISTER_ASSIGN(const Bytes name, reader.take(size));
  if (!is_name(text_of(name))) return Error{Code::corrupt, where};
  return std::string(text_of(name));
}

}  // namespace cloister
