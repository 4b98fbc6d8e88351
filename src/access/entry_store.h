#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Where usage and the audit trail are kept: sealed, by whoever composes the program. Called by one
/// thread at a time.
class EntryStore {
 public:
  virtual ~EntryStore() = default;
  /// Every entry since the last `restart`, oldest first.
  virtual std::vector<ByteVector> load() = 0;
  /// Durable when it returns. Fails: `io`, `unavailable`; the entry may then be kept or not, and
  /// nothing but `restart` is accepted.
  virtual Status append(Bytes entry) = 0;
  /// Replaces all entries by this one, durably. Fails: as `append`.
  virtual Status restart(Bytes entry) = 0;
  /// Bytes kept now.
  virtual std::uint64_t bytes() const = 0;
};

}  // namespace cloister
