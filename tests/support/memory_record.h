#pragma once

#include "access/record_store.h"

namespace cloister {

/// A table's place in memory; saving can be made to fail.
class MemoryRecord final : public RecordStore {
 public:
  Status load(const std::function<Status(Bytes)>& use) const override { return use(content); }
  Status save(Bytes saved) override {
    if (broken) return Error{Code::io, "test.save"};
    content = copy_of(saved);
    return Done{};
  }
  ByteVector content;
  bool broken = false;
};

}  // namespace cloister
