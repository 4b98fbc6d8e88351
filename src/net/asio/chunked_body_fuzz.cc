// Property: the same bytes decode to the same body or the same refusal, however they are cut.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "base/check.h"
#include "net/chunked_body.h"

namespace {

using namespace cloister;

constexpr std::size_t kBodyMax = 4096;

struct Outcome {
  bool finished = false;
  std::optional<Code> failure;
  ByteVector body;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(Bytes input, std::size_t piece) {
  Outcome outcome;
  ByteVector room(kBodyMax);
  std::size_t used = 0;
  ChunkedBody decoder(kBodyMax);
  while (!input.empty() && !decoder.finished()) {
    const Bytes part = input.first(std::min(piece, input.size()));
    const auto step = decoder.decode(part, MutableBytes(room).subspan(used));
    if (!step.ok()) {
      outcome.failure = step.error().code;
      return outcome;
    }
    CLOISTER_CHECK(step.value().consumed == part.size() || decoder.finished());
    used += step.value().produced;
    input = input.subspan(step.value().consumed);
  }
  outcome.finished = decoder.finished();
  room.resize(used);
  outcome.body = std::move(room);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  const Outcome whole = decode(input, std::max<std::size_t>(size, 1));
  CLOISTER_CHECK(decode(input, 1) == whole);
  CLOISTER_CHECK(decode(input, 7) == whole);
  CLOISTER_CHECK(whole.body.size() <= size);
  return 0;
}
