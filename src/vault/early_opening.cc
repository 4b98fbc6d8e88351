#include "vault/early_opening.h"

#include <atomic>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/caught.h"

namespace cloister {
namespace {

static_assert(kChunkBytes == kArrivalStep);

/// One processor is the engine's meanwhile, where there is much to read: it takes weights more
/// slowly than even one thread brings them. With few it would soon wait for the last.
SegmentWork beside_an_engine(const SegmentWork& work, std::uint64_t weights_bytes) {
  constexpr std::uint64_t kMuch = 256ULL << 20;
  SegmentWork beside = work;
  if (weights_bytes >= kMuch && work.threads > 1) --beside.threads;
  return beside;
}

class Filling final : public WeightsFilling {
 public:
  Filling(std::unique_ptr<File> file, std::shared_ptr<const VersionEntry> entry) noexcept
      : file_(std::move(file)), entry_(std::move(entry)) {}
  ~Filling() override { stopped_.store(true, std::memory_order_relaxed); }

  WeightsArrival& arrival() noexcept override { return *arrival_; }

  /// Reads the graph now, and begins to read the weights into `weights`.
  Result<GraphBundle> begin(const SegmentWork& work, PrivateMemory& weights) {
    CLOISTER_ASSIGN(reader_, VersionReader::open(beside_an_engine(work, entry_->weights_bytes),
                                                 *file_, *entry_));
    CLOISTER_ASSIGN(PrivateMemory graph, PrivateMemory::reserve(entry_->graph_bytes));
    CLOISTER_TRY(reader_->read(Segment::graph, graph.bytes()));
    CLOISTER_ASSIGN(GraphBundle bundle, decode_bundle(std::as_const(graph).bytes()));
    if (bundle.weights_bytes != entry_->weights_bytes) {
      return Error{Code::corrupt, "vault.open.bundle"};
    }
    // In the page behind the weights, so that a worker that maps them sees it too.
    const MutableBytes tail = weights.tail();
    std::atomic<std::uint32_t>& word =
        tail.empty() ? own_word_ : *new (tail.data()) std::atomic<std::uint32_t>(0);
    arrival_.emplace(word, weights.size());
    try {
      thread_ = std::jthread([this, destination = weights.bytes()] { fill(destination); });
    } catch (const std::system_error&) {
      return Error{Code::unavailable, "vault.open.thread"};
    }
    return bundle;
  }

 private:
  void fill(MutableBytes destination) {
    Status filled = caught("vault.open.fill", [&] {
      return reader_->read(Segment::weights, destination,
                           [this](std::uint64_t index) { arrival_->arrived(index); }, &stopped_);
    });
    arrival_->finish(std::move(filled));
  }

  std::unique_ptr<File> file_;
  std::shared_ptr<const VersionEntry> entry_;
  std::unique_ptr<VersionReader> reader_;
  std::atomic<std::uint32_t> own_word_{0};
  std::optional<WeightsArrival> arrival_;
  std::atomic<bool> stopped_{false};
  std::jthread thread_;  // last: it uses the fields above
};

}  // namespace

Result<OpenedModel> open_early(const SegmentWork& work, std::unique_ptr<File> file,
                               std::shared_ptr<const VersionEntry> entry) {
  OpenedModel opened;
  CLOISTER_ASSIGN(opened.weights, reserve_weights(work, entry->weights_bytes));
  auto filling = std::make_unique<Filling>(std::move(file), std::move(entry));
  CLOISTER_ASSIGN(opened.bundle, filling->begin(work, opened.weights));
  opened.filling = std::move(filling);
  return opened;
}

}  // namespace cloister
