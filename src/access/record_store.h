#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Where one small table of access/ is kept: sealed, by whoever composes the program.
class RecordStore {
 public:
  virtual ~RecordStore() = default;
  /// What was saved last; empty if nothing ever was.
  virtual ByteVector load() const = 0;
  /// Durable when it returns. Fails: `io`.
  virtual Status save(Bytes content) = 0;
};

}  // namespace cloister
