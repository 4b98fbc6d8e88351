#include "crypto/sha256_pair.h"

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "crypto/ipsec/sha256_lanes.h"
#include "secret/secret_bytes.h"

// What the library's jobs of SHA-256 end in, declared here as in crypto/ipsec/aead.cc.
extern "C" void call_sha256_ni_x2_sse_from_c(void* lanes, std::uint32_t steps);

namespace cloister {
namespace {

constexpr std::size_t kStepsMax = 1U << 20;

/// What two hashes stand at and where each goes on reading, as the library lays it out: it has room
/// for sixteen.
struct alignas(64) Lanes {
  std::array<std::array<std::uint32_t, kSha256Start.size()>, 16> words;
  std::array<const std::byte*, 16> data;
};
static_assert(sizeof(Lanes) == 640 && offsetof(Lanes, data) == 512);

/// Hands out a message and its padding (FIPS 180-4, 5.1.1) as runs of whole steps.
class Steps {
 public:
  explicit Steps(std::span<const Bytes> pieces) : pieces_(pieces) {
    for (const Bytes piece : pieces) bytes_ += piece.size();
    load();
  }
  ~Steps() { wipe(gathered_); }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  /// Whole steps that lie together; empty at the end.
  Bytes run() const noexcept { return run_; }
  /// Goes past `count` bytes of the run.
  void advance(std::size_t count) {
    run_ = run_.subspan(count);
    if (run_.empty()) load();
  }

 private:
  void load() {
    while (!piece_.empty() || !pieces_.empty()) {
      if (piece_.empty()) {
        piece_ = pieces_.front();
        pieces_ = pieces_.subspan(1);
      }
      if (held_ == 0 && piece_.size() >= kSha256Step) {
        const std::size_t whole = piece_.size() / kSha256Step * kSha256Step;
        run_ = piece_.first(whole);
        piece_ = piece_.subspan(whole);
        return;
      }
      const std::size_t taken = std::min(kSha256Step - held_, piece_.size());
      std::copy_n(piece_.begin(), taken, gathered_.begin() + static_cast<std::ptrdiff_t>(held_));
      piece_ = piece_.subspan(taken);
      held_ += taken;
      if (held_ == kSha256Step) {
        held_ = 0;
        run_ = Bytes(gathered_).first(kSha256Step);
        return;
      }
    }
    if (!std::exchange(padded_, true)) pad();
  }

  void pad() {
    const std::size_t size = held_ + 9 <= kSha256Step ? kSha256Step : 2 * kSha256Step;
    const MutableBytes rest = MutableBytes(gathered_).first(size).subspan(held_);
    std::ranges::fill(rest, std::byte{0});
    rest.front() = std::byte{0x80};
    put_big_endian(rest.last(8), bytes_ * 8);
    run_ = Bytes(gathered_).first(size);
  }

  std::span<const Bytes> pieces_;
  Bytes piece_;  // what is left of the one in hand
  std::uint64_t bytes_ = 0;
  std::array<std::byte, 2 * kSha256Step> gathered_{};  // what no piece has as a whole step
  std::size_t held_ = 0;                         // bytes of it that wait for more
  bool padded_ = false;
  Bytes run_;
};

Sha256Digest digest_of(const std::array<std::uint32_t, kSha256Start.size()>& words) {
  Sha256Digest digest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    put_big_endian(std::span(digest).subspan(4 * i, 4), words[i]);
  }
  return digest;
}

}  // namespace

bool can_pair_ipsec() noexcept {
  // SAFE_DATA: built so that registers and stack are cleared at the end.
  constexpr std::uint64_t kNeeded = IMB_FEATURE_SHANI | IMB_FEATURE_SAFE_DATA;
  return (imb_get_feature_flags() & kNeeded) == kNeeded;
}

Sha256Pair sha256_pair_ipsec(std::span<const Bytes> first, std::span<const Bytes> second) {
  Steps messages[] = {Steps(first), Steps(second)};
  Lanes lanes{};
  lanes.words.fill(kSha256Start);
  while (!messages[0].run().empty() || !messages[1].run().empty()) {
    // A message that has ended leaves its lane to spare, which does what the other does.
    const bool both = !messages[0].run().empty() && !messages[1].run().empty();
    const std::size_t longer = messages[0].run().empty() ? 1 : 0;
    Bytes runs[] = {messages[both ? 0 : longer].run(), messages[both ? 1 : longer].run()};
    const std::size_t bytes = std::min({runs[0].size(), runs[1].size(), kStepsMax * kSha256Step});
    const auto ended = lanes.words[1 - longer];
    lanes.data[0] = runs[0].data();
    lanes.data[1] = runs[1].data();
    call_sha256_ni_x2_sse_from_c(&lanes, static_cast<std::uint32_t>(bytes / kSha256Step));
    if (!both) lanes.words[1 - longer] = ended;
    if (both) messages[1 - longer].advance(bytes);
    messages[longer].advance(bytes);
  }
  const Sha256Pair digests{digest_of(lanes.words[0]), digest_of(lanes.words[1])};
  wipe(std::as_writable_bytes(std::span(&lanes, 1)));
  return digests;
}

}  // namespace cloister
