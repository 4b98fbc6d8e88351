#pragma once

#include <cstdint>

namespace cloister {

/// What a File of the host's may also be: one that tells what a reading would wait for.
class CachedFile {
 public:
  virtual ~CachedFile() = default;
  /// Whether the page at `offset`, where a page begins, is in the host's memory; true where the
  /// host does not tell. A hint: it may be another the next moment. Safe from several threads.
  virtual bool is_cached(std::uint64_t offset) const = 0;
};

}  // namespace cloister
