#pragma once

#include <algorithm>
#include <initializer_list>

#include "base/byte_reader.h"
#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// A field of fixed size and where its view goes; nowhere for one that is passed over.
struct FixedField {
  Bytes* place;
  std::size_t size;
};

/// Takes fields that lie one behind the other. Fails: `corrupt` when the bytes end first.
inline Status take_fields(ByteReader& reader, std::initializer_list<FixedField> fields) {
  for (const FixedField& field : fields) {
    CLOISTER_ASSIGN(const Bytes taken, reader.take(field.size));
    if (field.place != nullptr) *field.place = taken;
  }
  return Done{};
}

inline bool is_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace cloister
