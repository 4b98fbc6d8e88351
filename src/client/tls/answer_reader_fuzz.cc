// Property: the same bytes give the same answer, or none, however they are cut (how soon a bad head
// is seen depends on the pieces), and
// no more of a body than there were bytes.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/check.h"
#include "client/tls/answer_reader.h"

namespace {

using namespace cloister;

class Recorded final : public AnswerSink {
 public:
  Status begin(ClientResponse head, std::optional<std::uint64_t> body_bytes) override {
    CLOISTER_CHECK(!began);
    began = true;
    text = std::to_string(head.status) + ' ' + std::to_string(body_bytes.value_or(0)) + '\n';
    for (const ClientHeader& each : head.headers) text += each.name + ": " + each.value + '\n';
    return Done{};
  }
  Status take(Bytes piece) override {
    CLOISTER_CHECK(began);
    text += text_of(piece);
    body_bytes_taken += piece.size();
    return Done{};
  }

  bool began = false;
  std::string text;
  std::size_t body_bytes_taken = 0;
};

std::string outcome(Bytes input, std::size_t piece, bool to_head) {
  Recorded sink;
  const auto reader = make_answer_reader(sink, to_head);
  std::size_t given = 0;
  std::size_t used = 0;
  while (given < input.size() && !reader->finished()) {
    given = std::min(given + piece, input.size());
    const auto step = reader->take(input.subspan(used, given - used));
    if (!step.ok()) return "refused";
    CLOISTER_CHECK(step.value() <= given - used);
    used += step.value();
  }
  CLOISTER_CHECK(sink.body_bytes_taken <= input.size());
  if (!reader->finished() && !reader->end().ok()) return "refused";
  CLOISTER_CHECK(!to_head || sink.body_bytes_taken == 0);
  return std::to_string(reader->status()) + sink.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  for (const bool to_head : {false, true}) {
    const std::string whole = outcome(input, std::max<std::size_t>(size, 1), to_head);
    CLOISTER_CHECK(outcome(input, 1, to_head) == whole);
    CLOISTER_CHECK(outcome(input, 7, to_head) == whole);
  }
  return 0;
}
