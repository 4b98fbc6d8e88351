#pragma once

#include <functional>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Where one small table of access/ is kept: sealed, by whoever composes the program.
class RecordStore {
 public:
  virtual ~RecordStore() = default;
  /// Gives `use` what was saved last, empty if nothing ever was, and returns what it returns. The
  /// view ends with the call.
  virtual Status load(const std::function<Status(Bytes content)>& use) const = 0;
  /// Durable when it returns. Fails: `io`.
  virtual Status save(Bytes content) = 0;
};

}  // namespace cloister
