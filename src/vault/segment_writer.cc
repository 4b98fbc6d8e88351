#include <algorithm>

#include "base/byte_writer.h"
#include "base/limits.h"
#include "vault/parallel.h"
#include "vault/segments.h"

namespace cloister {
namespace {

Status check_content(const SegmentContent& content) {
  if (content.bytes > kChunksMax * kChunkBytes) return Error{Code::too_large, "vault.seal.size"};
  std::uint64_t end = 0;
  for (const WeightPiece& piece : content.pieces) {
    if (piece.offset < end) return Error{Code::invalid, "vault.seal.order"};
    CLOISTER_ASSIGN(end, checked_add(piece.offset, piece.source.size()));
  }
  if (end > content.bytes) return Error{Code::invalid, "vault.seal.end"};
  return Done{};
}

/// One thread's buffers: reused for every chunk, wiped in the end.
struct ChunkBuffers {
  PrivateMemory plaintext;
  PrivateMemory ciphertext;
};

/// The plaintext of [offset, offset + size): in place where one piece holds all of it, else
/// gathered into `buffer`.
Bytes chunk_plaintext(const SegmentContent& content, std::uint64_t offset, std::size_t size,
                      MutableBytes buffer) {
  auto piece = std::ranges::upper_bound(content.pieces, offset, {}, &WeightPiece::offset);
  if (piece != content.pieces.begin()) --piece;
  const std::uint64_t end = offset + size;
  const bool whole = piece != content.pieces.end() && piece->offset <= offset &&
                     end <= piece->offset + piece->source.size();
  if (whole) return piece->source.subspan(offset - piece->offset, size);
  const MutableBytes gathered = buffer.first(size);
  std::ranges::fill(gathered, std::byte{0});
  for (; piece != content.pieces.end() && piece->offset < end; ++piece) {
    const std::uint64_t from = std::max(offset, piece->offset);
    const std::uint64_t to = std::min(end, piece->offset + piece->source.size());
    if (from >= to) continue;
    std::ranges::copy(piece->source.subspan(from - piece->offset, to - from),
                      gathered.subspan(from - offset).begin());
  }
  return gathered;
}

struct SegmentTarget {
  const SegmentWork& work;
  File& file;
  const FileId& id;
  Segment segment;
  std::uint64_t at;
  HkdfKey keys;
  ChunkHasher& hasher;
};

Result<ChunkSeal> write_chunk(const SegmentTarget& target, const SegmentContent& content,
                              std::uint64_t index, unsigned thread, ChunkBuffers& buffers) {
  const std::uint64_t offset = index * kChunkBytes;
  const std::size_t size = std::min(kChunkBytes, content.bytes - offset);
  const bool last = offset + size == content.bytes;
  const auto number = static_cast<std::uint32_t>(index);
  const Bytes plaintext = chunk_plaintext(content, offset, size, buffers.plaintext.bytes());
  ChunkSeal seal;
  seal.leaf = target.hasher.leaf_of(plaintext, thread);
  CLOISTER_ASSIGN(const auto cipher,
                  target.work.keys.chunk_cipher(target.keys, number, last, seal.leaf));
  const MutableBytes sealed = buffers.ciphertext.bytes().first(size);
  CLOISTER_ASSIGN(seal.tag,
                  cipher->seal(chunk_nonce(number),
                               chunk_associated(target.id, target.segment, number, last),
                               plaintext, sealed));
  CLOISTER_TRY(target.file.write_at(target.at + offset, sealed));
  return seal;
}

Result<std::vector<ChunkSeal>> write_segment(const SegmentTarget& target,
                                             const SegmentContent& content) {
  std::vector<ChunkSeal> seals(chunk_count(content.bytes));
  std::vector<ChunkBuffers> buffers(target.work.threads);
  const auto write = [&](std::uint64_t index, unsigned thread) -> Status {
    ChunkBuffers& own = buffers[thread];
    if (own.ciphertext.size() == 0) {
      CLOISTER_ASSIGN(own.plaintext, PrivateMemory::reserve(kChunkBytes));
      CLOISTER_ASSIGN(own.ciphertext, PrivateMemory::reserve(kChunkBytes));
    }
    CLOISTER_ASSIGN(seals[index], write_chunk(target, content, index, thread, own));
    return Done{};
  };
  CLOISTER_TRY(for_each_in_parallel(seals.size(), target.work.threads, write));
  return seals;
}

SecretBytes encode_table(const std::vector<ChunkSeal>& graph,
                         const std::vector<ChunkSeal>& weights) {
  SecretBytes table((graph.size() + weights.size()) * kTableEntryBytes);
  auto out = StoreKeys::write(table).begin();
  for (const auto* seals : {&graph, &weights}) {
    for (const ChunkSeal& seal : *seals) {
      out = std::ranges::copy(seal.tag, out).out;
      out = std::ranges::copy(seal.leaf, out).out;
    }
  }
  return table;
}

}  // namespace

Status write_version(const SegmentWork& work, Entropy& entropy, File& file, VersionEntry& entry,
                     const SegmentContent& graph, const SegmentContent& weights) {
  CLOISTER_TRY(check_content(graph));
  CLOISTER_TRY(check_content(weights));
  entry.graph_bytes = graph.bytes;
  entry.weights_bytes = weights.bytes;
  const FileLayout layout = layout_of(graph.bytes, weights.bytes);
  ChunkHasher hasher(work.library, work.threads);
  const auto write = [&](Segment segment, std::uint64_t at, const SegmentContent& content)
      -> Result<std::vector<ChunkSeal>> {
    CLOISTER_ASSIGN(HkdfKey keys, work.keys.chunk_keys(entry, segment));
    return write_segment({work, file, entry.file, segment, at, std::move(keys), hasher},
                         content);
  };
  CLOISTER_ASSIGN(const auto graph_seals, write(Segment::graph, layout.graph_at, graph));
  CLOISTER_ASSIGN(const auto weight_seals, write(Segment::weights, layout.weights_at, weights));
  const auto header = version_header(entry.file);
  CLOISTER_ASSIGN(const SecretBytes table_key, work.keys.segment_key(entry, Segment::table));
  CLOISTER_ASSIGN(const ByteVector table,
                  StoreKeys::seal(work.keys.aeads(), entropy, table_key, kTableLabel, header,
                                  encode_table(graph_seals, weight_seals)));
  entry.table = sha256(table);
  entry.record.stored_bytes = layout.end;
  CLOISTER_TRY(file.write_at(0, header));
  CLOISTER_TRY(file.write_at(kVersionHeaderBytes, table));
  CLOISTER_TRY(file.write_at(layout.table_end, ByteVector(layout.graph_at - layout.table_end)));
  CLOISTER_TRY(file.write_at(layout.graph_end, ByteVector(layout.weights_at - layout.graph_end)));
  return file.sync();
}

}  // namespace cloister
