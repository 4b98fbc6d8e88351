#include "net/chunked_body.h"

#include <algorithm>
#include <cstring>

namespace cloister {
namespace {

constexpr std::size_t kLineBytesMax = 64;
constexpr std::size_t kSizeDigitsMax = 15;
constexpr std::size_t kTrailerBytesMax = 4096;
constexpr std::uint64_t kSmallChunksMax = 4096;
constexpr std::uint64_t kChunkBytesMean = 64;

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error invalid() { return {Code::invalid, "net.chunk"}; }

}  // namespace

Result<ChunkedBody::Step> ChunkedBody::decode(Bytes input, MutableBytes output) {
  Step step;
  while (step.consumed < input.size() && !finished()) {
    if (state_ == State::content) {
      const std::size_t count = static_cast<std::size_t>(
          std::min<std::uint64_t>(left_, input.size() - step.consumed));
      CLOISTER_CHECK(count <= output.size() - step.produced);
      std::memcpy(output.data() + step.produced, input.data() + step.consumed, count);
      step.consumed += count;
      step.produced += count;
      received(count);
      continue;
    }
    CLOISTER_TRY(take(static_cast<char>(input[step.consumed])));
    ++step.consumed;
  }
  return step;
}

void ChunkedBody::received(std::uint64_t count) {
  CLOISTER_CHECK(count <= left_);
  left_ -= count;
  if (left_ == 0) state_ = State::content_cr;
}

Status ChunkedBody::take_size(char c) {
  if (const int value = digit(c); value >= 0) {
    if (++digits_ > kSizeDigitsMax) return invalid();
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    return Done{};
  }
  if (digits_ == 0) return invalid();
  if (c == '\r') {
    state_ = State::size_end;
  } else if (c == ';') {
    state_ = State::extension;
  } else {
    return invalid();
  }
  return Done{};
}

Status ChunkedBody::begin_chunk() {
  line_ = 0;
  digits_ = 0;
  if (left_ == 0) {
    state_ = State::trailer_start;
    return Done{};
  }
  if (left_ > room_) return Error{Code::too_large, "net.chunk.room"};
  room_ -= left_;
  total_ += left_;
  if (++chunks_ > kSmallChunksMax + total_ / kChunkBytesMean) {
    return Error{Code::too_large, "net.chunk.count"};
  }
  state_ = State::content;
  return Done{};
}

Status ChunkedBody::take(char c) {
  const auto expect = [&](char expected, State next) -> Status {
    if (c != expected) return invalid();
    state_ = next;
    return Done{};
  };
  switch (state_) {
    case State::size:
      if (++line_ > kLineBytesMax) return invalid();
      return take_size(c);
    case State::extension:
      if (++line_ > kLineBytesMax || c == '\n' || c == '\0') return invalid();
      if (c == '\r') state_ = State::size_end;
      return Done{};
    case State::size_end:
      if (c != '\n') return invalid();
      return begin_chunk();
    case State::content_cr:
      return expect('\r', State::content_lf);
    case State::content_lf:
      return expect('\n', State::size);
    case State::trailer_start:
      if (c == '\r') return expect('\r', State::last_lf);
      state_ = State::trailer;
      [[fallthrough]];
    case State::trailer:
      if (++trailer_bytes_ > kTrailerBytesMax || c == '\n' || c == '\0') return invalid();
      if (c == '\r') state_ = State::trailer_end;
      return Done{};
    case State::trailer_end:
      return expect('\n', State::trailer_start);
    case State::last_lf:
      return expect('\n', State::finished);
    case State::content:
    case State::finished:
      break;
  }
  CLOISTER_CHECK(false);
  return invalid();
}

}  // namespace cloister
