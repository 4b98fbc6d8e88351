#pragma once

#include <utility>
#include <vector>

#include "access/entry_store.h"

namespace cloister {

/// A log in memory whose next write can fail, kept or not.
class MemoryStore final : public EntryStore {
 public:
  enum class Next { works, fails_and_is_lost, fails_and_is_kept };

  std::vector<ByteVector> load() override { return entries; }
  Status append(Bytes entry) override {
    if (needs_restart) return Error{Code::unavailable, "test.append"};
    return write([&] {
      entries.push_back(copy_of(entry));
      size_ += entry.size();
    });
  }
  Status restart(Bytes entry) override {
    return write([&] {
      entries = {copy_of(entry)};
      size_ = entry.size();
      needs_restart = false;
      ++restarts;
    });
  }
  std::uint64_t bytes() const override { return size_; }

  std::vector<ByteVector> entries;
  Next next = Next::works;
  bool needs_restart = true;
  int restarts = 0;

 private:
  std::uint64_t size_ = 0;

  template <class Work>
  Status write(Work work) {
    const Next now = std::exchange(next, Next::works);
    if (now != Next::fails_and_is_lost) work();
    if (now == Next::works) return Done{};
    needs_restart = true;
    return Error{Code::io, "test.write"};
  }
};

}  // namespace cloister
