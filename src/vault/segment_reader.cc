#include <algorithm>
#include <optional>

#include "base/cached_file.h"
#include "vault/parallel.h"
#include "vault/segments.h"

namespace cloister {
namespace {

/// How a file is read and decrypted.
struct Reading {
  unsigned readers;
  bool aside;  ///< weights: each reads into a place of its own and decrypts from there
};

/// Where the file is in memory, by as many as shall compute, each chunk straight into its place.
/// From the disk by more, so that it has requests to work on while some of them decrypt; and aside
/// where the weights' memory is shareable and in small pages, which a disk fills at half its rate.
Reading reading_of(const SegmentWork& work, const File& file, const FileLayout& layout) {
  constexpr unsigned kInPlaceForEachThread = 8;
  constexpr unsigned kAsideForEachThread = 4;  // a chunk's memory each
  constexpr unsigned kReadersMax = 64;
  const auto* host_file = dynamic_cast<const CachedFile*>(&file);
  // In the middle: the beginning is in memory since the table was read.
  const std::uint64_t chunks = (layout.end - layout.weights_at) / kChunkBytes;
  const std::uint64_t middle = layout.weights_at + chunks / 2 * kChunkBytes;
  if (host_file == nullptr || host_file->is_cached(middle)) return {work.threads, false};
  const bool aside =
      work.shareable_weights != nullptr &&
      work.shareable_weights->huge_pages() == HugePages::none;
  const unsigned readers = work.threads * (aside ? kAsideForEachThread : kInPlaceForEachThread);
  return {std::max(work.threads, std::min(readers, kReadersMax)), aside};
}

/// A chunk's place for each reader, all of them in the same huge pages.
class Places {
 public:
  /// Fails: `io` (no memory).
  static Result<Places> make(unsigned readers) {
    Places places;
    CLOISTER_ASSIGN(places.memory_, PrivateMemory::reserve(readers * kChunkBytes));
    return places;
  }
  /// `size` bytes for reader `thread`.
  MutableBytes of(unsigned thread, std::size_t size) noexcept {
    return memory_.bytes().subspan(thread * kChunkBytes, size);
  }

 private:
  PrivateMemory memory_;
};

/// A huge page's worth: two threads that touch one fresh huge page together both clear one, and one
/// of the two has worked for nothing.
constexpr std::uint64_t kChunksTogether = (2U << 20) / kChunkBytes;

/// The opened table, still as the file has it: tag and leaf of each chunk in turn.
class Table {
 public:
  explicit Table(SecretBytes bytes) noexcept : bytes_(std::move(bytes)) {}
  ChunkSeal at(std::uint64_t index) const {
    const Bytes entry = StoreKeys::read(bytes_).subspan(index * kTableEntryBytes, kTableEntryBytes);
    ChunkSeal seal;
    std::ranges::copy(entry.first(kAeadTagBytes), seal.tag.begin());
    std::ranges::copy(entry.subspan(kAeadTagBytes), seal.leaf.begin());
    return seal;
  }

 private:
  SecretBytes bytes_;
};

Status check_gap(const File& file, std::uint64_t from, std::uint64_t to) {
  ByteVector gap(to - from);
  CLOISTER_TRY(file.read_at(from, gap));
  const bool zeros = std::ranges::all_of(gap, [](std::byte byte) { return byte == std::byte{0}; });
  if (!zeros) return Error{Code::corrupt, "vault.version.gap"};
  return Done{};
}

Result<Table> read_table(const SegmentWork& work, const File& file, const VersionEntry& entry) {
  const FileLayout layout = layout_of(entry.graph_bytes, entry.weights_bytes);
  CLOISTER_ASSIGN(const std::uint64_t size, file.size());
  if (size != layout.end) return Error{Code::corrupt, "vault.version.size"};
  std::array<std::byte, kVersionHeaderBytes> header{};
  CLOISTER_TRY(file.read_at(0, header));
  if (header != version_header(entry.file)) return Error{Code::corrupt, "vault.version.header"};
  CLOISTER_TRY(check_gap(file, layout.table_end, layout.graph_at));
  CLOISTER_TRY(check_gap(file, layout.graph_end, layout.weights_at));
  ByteVector sealed(layout.table_bytes);
  CLOISTER_TRY(file.read_at(kVersionHeaderBytes, sealed));
  if (sha256(sealed) != entry.table) return Error{Code::corrupt, "vault.version.table"};
  CLOISTER_ASSIGN(const SecretBytes key, work.keys.segment_key(entry, Segment::table));
  CLOISTER_ASSIGN(SecretBytes table,
                  StoreKeys::open(work.keys.aeads(), key, kTableLabel, header, sealed));
  return Table(std::move(table));
}

struct SegmentSource {
  const SegmentWork& work;
  const File& file;
  const FileId& id;
  Segment segment;
  std::uint64_t at;           ///< of the first chunk in the file
  std::uint64_t bytes;
  const Table& table;
  std::uint64_t first_entry;  ///< of this segment in the table
  HkdfKey keys;
  ChunkHasher& hasher;
};

/// Reads chunk `index` into `sealed` and decrypts it into `destination`; both have its size and may
/// be the same. The bytes are decrypted while they lie in the cache.
Status read_chunk(const SegmentSource& source, std::uint64_t index, unsigned thread,
                  MutableBytes sealed, MutableBytes destination) {
  const std::uint64_t offset = index * kChunkBytes;
  const bool last = offset + destination.size() == source.bytes;
  const auto number = static_cast<std::uint32_t>(index);
  const ChunkSeal seal = source.table.at(source.first_entry + index);
  CLOISTER_TRY(source.file.read_at(source.at + offset, sealed));
  CLOISTER_ASSIGN(const auto cipher,
                  source.work.keys.chunk_cipher(source.keys, number, last, seal.leaf));
  CLOISTER_TRY(cipher->open(chunk_nonce(number),
                            chunk_associated(source.id, source.segment, number, last), sealed,
                            seal.tag, destination));
  if (source.work.integrity == IntegrityMode::full &&
      source.hasher.leaf_of(destination, thread) != seal.leaf) {
    wipe(destination);
    return Error{Code::corrupt, "vault.version.leaf"};
  }
  return Done{};
}

std::size_t chunk_size(std::uint64_t bytes, std::uint64_t index) noexcept {
  return std::min(kChunkBytes, bytes - index * kChunkBytes);
}

}  // namespace

struct VersionReader::Parts {
  Parts(const SegmentWork& settings, const File& file, const VersionEntry& entry, Table read,
        HkdfKey graph_keys, HkdfKey weights_keys)
      : work(settings),
        table(std::move(read)),
        layout(layout_of(entry.graph_bytes, entry.weights_bytes)),
        reading(reading_of(work, file, layout)),
        hasher(work.library, reading.readers),
        graph{work, file, entry.file, Segment::graph, layout.graph_at, entry.graph_bytes,
              table, 0, std::move(graph_keys), hasher},
        weights{work, file, entry.file, Segment::weights, layout.weights_at, entry.weights_bytes,
                table, chunk_count(entry.graph_bytes), std::move(weights_keys), hasher} {}

  SegmentWork work;
  const Table table;
  const FileLayout layout;
  const Reading reading;
  ChunkHasher hasher;
  const SegmentSource graph;
  const SegmentSource weights;
};

VersionReader::VersionReader(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
VersionReader::~VersionReader() = default;

Result<std::unique_ptr<VersionReader>> VersionReader::open(const SegmentWork& work,
                                                           const File& file,
                                                           const VersionEntry& entry) {
  CLOISTER_ASSIGN(Table table, read_table(work, file, entry));
  CLOISTER_ASSIGN(HkdfKey graph_keys, work.keys.chunk_keys(entry, Segment::graph));
  CLOISTER_ASSIGN(HkdfKey weights_keys, work.keys.chunk_keys(entry, Segment::weights));
  return std::unique_ptr<VersionReader>(new VersionReader(std::make_unique<Parts>(
      work, file, entry, std::move(table), std::move(graph_keys), std::move(weights_keys))));
}

Status VersionReader::read(Segment segment, MutableBytes plaintext, const ChunkDone& done,
                           const std::atomic<bool>* stop) const {
  const SegmentSource& source = segment == Segment::graph ? parts_->graph : parts_->weights;
  if (plaintext.size() != source.bytes) return Error{Code::invalid, "vault.open.memory"};
  const Reading& reading = parts_->reading;
  std::optional<Places> aside;
  if (reading.aside && segment == Segment::weights) {
    CLOISTER_ASSIGN(aside, Places::make(reading.readers));
  }
  ShareableMemoryPool* const pool =
      segment == Segment::weights ? source.work.shareable_weights : nullptr;
  const auto read = [&](std::uint64_t index, unsigned thread) -> Status {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
      return Error{Code::unavailable, "vault.open.stopped"};
    }
    const std::size_t size = chunk_size(source.bytes, index);
    const MutableBytes place = plaintext.subspan(index * kChunkBytes, size);
    if (pool != nullptr && index % kChunksTogether == 0) {
      const std::uint64_t rest = source.bytes - index * kChunkBytes;
      pool->before_filling({place.data(), std::min(rest, kChunksTogether * kChunkBytes)});
    }
    CLOISTER_TRY(read_chunk(source, index, thread, aside ? aside->of(thread, size) : place, place));
    if (done) done(index);
    return Done{};
  };
  return for_each_in_parallel(chunk_count(source.bytes), reading.readers, read, kChunksTogether);
}

Status VersionReader::verify() const {
  const unsigned readers = parts_->reading.readers;
  CLOISTER_ASSIGN(Places places, Places::make(readers));
  for (const SegmentSource* const source : {&parts_->graph, &parts_->weights}) {
    const auto read = [&](std::uint64_t index, unsigned thread) -> Status {
      const MutableBytes place = places.of(thread, chunk_size(source->bytes, index));
      return read_chunk(*source, index, thread, place, place);
    };
    CLOISTER_TRY(for_each_in_parallel(chunk_count(source->bytes), readers, read));
  }
  return Done{};
}

Result<PrivateMemory> reserve_weights(const SegmentWork& work, std::uint64_t bytes) {
  if (bytes == 0) return PrivateMemory();
  return work.shareable_weights != nullptr ? work.shareable_weights->reserve(bytes)
                                           : PrivateMemory::reserve(bytes);
}

Status read_version_into(const SegmentWork& work, const File& file, const VersionEntry& entry,
                         MutableBytes graph, MutableBytes weights) {
  CLOISTER_ASSIGN(const auto reader, VersionReader::open(work, file, entry));
  CLOISTER_TRY(reader->read(Segment::graph, graph));
  return reader->read(Segment::weights, weights);
}

Result<OpenedSegments> read_version(const SegmentWork& work, const File& file,
                                    const VersionEntry& entry) {
  OpenedSegments opened;
  if (entry.graph_bytes > 0) {
    CLOISTER_ASSIGN(opened.graph, PrivateMemory::reserve(entry.graph_bytes));
  }
  CLOISTER_ASSIGN(opened.weights, reserve_weights(work, entry.weights_bytes));
  CLOISTER_TRY(read_version_into(work, file, entry, opened.graph.bytes(), opened.weights.bytes()));
  return opened;
}

Status verify_version(const SegmentWork& work, const File& file, const VersionEntry& entry) {
  SegmentWork full = work;
  full.integrity = IntegrityMode::full;
  CLOISTER_ASSIGN(const auto reader, VersionReader::open(full, file, entry));
  return reader->verify();
}

}  // namespace cloister
