#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/entropy.h"

namespace cloister {

/// Bytes that look random and depend on the seed alone; counts its calls and can fail at one.
/// Two with the same seed are a machine and its clone. For one thread.
class CountingEntropy final : public Entropy {
 public:
  explicit CountingEntropy(std::uint64_t seed = 1) noexcept : state_(seed) {}

  Status fill(MutableBytes destination) noexcept override {
    if (calls_++ == failing_call_) return Error{Code::io, "test.entropy"};
    for (std::byte& byte : destination) byte = next();
    return Done{};
  }

  /// Calls so far, the failed one included.
  std::uint64_t calls() const noexcept { return calls_; }
  /// Makes the call number `call` fail, counted from 0 at construction.
  void fail_at(std::uint64_t call) noexcept { failing_call_ = call; }

 private:
  /// The splitmix64 generator, its top byte.
  std::byte next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return static_cast<std::byte>((mixed ^ (mixed >> 31)) >> 56);
  }

  std::uint64_t state_;
  std::uint64_t calls_ = 0;
  std::uint64_t failing_call_ = std::numeric_limits<std::uint64_t>::max();
};

/// Plays back given bytes, then fails. For one thread.
class RecordedEntropy final : public Entropy {
 public:
  explicit RecordedEntropy(ByteVector recording) noexcept : recording_(std::move(recording)) {}

  Status fill(MutableBytes destination) noexcept override {
    const Bytes rest = Bytes(recording_).subspan(played_);
    if (destination.size() > rest.size()) return Error{Code::io, "test.entropy"};
    std::copy_n(rest.begin(), destination.size(), destination.begin());
    played_ += destination.size();
    return Done{};
  }

 private:
  ByteVector recording_;
  std::size_t played_ = 0;
};

}  // namespace cloister
