#include <algorithm>

#include "base/cached_file.h"
#include "vault/parallel.h"
#include "vault/segments.h"

namespace cloister {
namespace {

/// How many read and decrypt a file at once: as many as shall compute where it is in memory; more
/// where it is on the disk, so that the disk has requests to work on while some of them decrypt.
unsigned readers_of(const SegmentWork& work, const File& file, const FileLayout& layout) {
  constexpr unsigned kReadersForEachThread = 8;
  constexpr unsigned kReadersMax = 64;
  const auto* host_file = dynamic_cast<const CachedFile*>(&file);
  // In the middle: the beginning is in memory since the table was read.
  const std::uint64_t chunks = (layout.end - layout.weights_at) / kChunkBytes;
  const std::uint64_t middle = layout.weights_at + chunks / 2 * kChunkBytes;
  if (host_file == nullptr || host_file->is_cached(middle)) return work.threads;
  return std::max(work.threads, std::min(work.threads * kReadersForEachThread, kReadersMax));
}

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

/// Reads chunk `index` into `destination`, which has its size, and decrypts it there: the bytes
/// are touched while they lie in the cache, and no second buffer exists.
Status read_chunk(const SegmentSource& source, std::uint64_t index, unsigned thread,
                  MutableBytes destination) {
  const std::uint64_t offset = index * kChunkBytes;
  const bool last = offset + destination.size() == source.bytes;
  const auto number = static_cast<std::uint32_t>(index);
  const ChunkSeal seal = source.table.at(source.first_entry + index);
  CLOISTER_TRY(source.file.read_at(source.at + offset, destination));
  CLOISTER_ASSIGN(const auto cipher,
                  source.work.keys.chunk_cipher(source.keys, number, last, seal.leaf));
  CLOISTER_TRY(cipher->open(chunk_nonce(number),
                            chunk_associated(source.id, source.segment, number, last), destination,
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
        readers(readers_of(work, file, layout)),
        hasher(work.library, readers),
        graph{work, file, entry.file, Segment::graph, layout.graph_at, entry.graph_bytes,
              table, 0, std::move(graph_keys), hasher},
        weights{work, file, entry.file, Segment::weights, layout.weights_at, entry.weights_bytes,
                table, chunk_count(entry.graph_bytes), std::move(weights_keys), hasher} {}

  SegmentWork work;
  const Table table;
  const FileLayout layout;
  const unsigned readers;
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
  const auto read = [&](std::uint64_t index, unsigned thread) -> Status {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
      return Error{Code::unavailable, "vault.open.stopped"};
    }
    const std::size_t size = chunk_size(source.bytes, index);
    CLOISTER_TRY(read_chunk(source, index, thread, plaintext.subspan(index * kChunkBytes, size)));
    if (done) done(index);
    return Done{};
  };
  return for_each_in_parallel(chunk_count(source.bytes), parts_->readers, read, kChunksTogether);
}

Status VersionReader::verify() const {
  const unsigned readers = parts_->readers;
  for (const SegmentSource* const source : {&parts_->graph, &parts_->weights}) {
    std::vector<PrivateMemory> buffers(readers);
    const auto read = [&](std::uint64_t index, unsigned thread) -> Status {
      PrivateMemory& buffer = buffers[thread];
      if (buffer.size() == 0) {
        CLOISTER_ASSIGN(buffer, PrivateMemory::reserve(kChunkBytes));
      }
      return read_chunk(*source, index, thread,
                        buffer.bytes().first(chunk_size(source->bytes, index)));
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
