#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/block_hasher.h"
#include "crypto/sha256.h"
#include "secret/secret_bytes.h"
#include "vault/vault.h"

namespace cloister {

/// The bytes of the store as docs/store-format.md lays them out. Everything is little-endian.
inline constexpr std::uint64_t kChunkBytes = 1U << 20;
inline constexpr std::uint64_t kChunksMax = 1U << 16;          ///< of one segment: 64 GiB
inline constexpr std::size_t kLeafBlockBytes = 1U << 14;
inline constexpr std::size_t kSeedBytes = 32;
inline constexpr std::size_t kVersionHeaderBytes = 32;
inline constexpr std::size_t kTableEntryBytes = 48;            ///< tag, then leaf
inline constexpr std::size_t kEntryBytesMax = 256U << 10;      ///< of a version in the catalogue
inline constexpr std::uint64_t kRecordBytesMax = 4U << 20;
inline constexpr std::size_t kRecordNameMax = 64;

/// Names a version's file and is bound into everything in it: 16 random bytes.
using FileId = std::array<std::byte, 16>;
/// Names the store: 16 random bytes.
using StoreId = std::array<std::byte, 16>;

/// The parts of a version's file, each under keys of its own.
enum class Segment : std::uint8_t { table = 0, graph = 1, weights = 2 };

struct OptimisedEntry;

/// All that the catalogue knows of one version. Immutable once it is made.
struct VersionEntry {
  VersionRecord record;
  FileId file{};
  Sha256Digest build{};    ///< of the program that sealed it
  Sha256Digest table{};    ///< SHA-256 of the sealed table as it stands in the file
  std::uint64_t graph_bytes = 0;    ///< plaintext of the graph segment
  std::uint64_t weights_bytes = 0;  ///< the same of the weights
  SecretBytes seed;        ///< 32 bytes that the keys of its segments are made from
  std::shared_ptr<const OptimisedEntry> optimised;  ///< null for none
};

/// A version's optimised form: a file like the version's own, under keys of its own.
struct OptimisedEntry {
  std::string fits;    ///< as in OptimisedForm
  bool worth_packing = true;
  VersionEntry sealed;  ///< of its record only the reference and the upload's SHA-256 are set
};

/// What one chunk's place in the table holds.
struct ChunkSeal {
  AeadTag tag{};
  Sha256Digest leaf{};     ///< of the chunk's plaintext
};

/// Hashes chunks on several threads: SHA-256 over the SHA-256 of each of a chunk's blocks in turn,
/// so that blocks can be hashed side by side.
class ChunkHasher {
 public:
  ChunkHasher(AeadChoice library, unsigned threads) : library_(library), hashers_(threads) {}
  /// `thread`, below `threads`, is the number of the calling thread.
  Sha256Digest leaf_of(Bytes plaintext, unsigned thread);

 private:
  AeadChoice library_;
  std::vector<std::unique_ptr<BlockHasher>> hashers_;  ///< made when they are first needed
};

/// Chunks that `bytes` of plaintext take; 0 for 0.
constexpr std::uint64_t chunk_count(std::uint64_t bytes) noexcept {
  return bytes / kChunkBytes + (bytes % kChunkBytes == 0 ? 0 : 1);
}

/// What a table is sealed as.
inline constexpr std::string_view kTableLabel = "cloister vault 1 table";

/// Where the parts of a version's file lie, in bytes from its start. Segments begin on whole pages,
/// so that chunks are read and written in whole pages; zeros fill the gaps.
struct FileLayout {
  std::uint64_t table_bytes = 0;  ///< sealed
  std::uint64_t table_end = 0;
  std::uint64_t graph_at = 0;
  std::uint64_t graph_end = 0;
  std::uint64_t weights_at = 0;
  std::uint64_t end = 0;
};
FileLayout layout_of(std::uint64_t graph_bytes, std::uint64_t weights_bytes) noexcept;

/// The first bytes of a version's file.
std::array<std::byte, kVersionHeaderBytes> version_header(const FileId& file);

/// "versions/3f…" and "staging/3f…".
std::string version_path(const FileId& file);
std::string staging_path(const FileId& file);
/// Lower-case hex; and back, failing with `invalid` for anything else.
std::string hex_of(Bytes bytes);
Result<FileId> file_id_of(std::string_view hex);

/// An entry's public half (all but its seeds), and back. `decode_version` takes bytes that were
/// sealed by us, and still checks every length. Fails: `corrupt`.
ByteVector encode_version(const VersionEntry& entry);
Result<VersionEntry> decode_version(Bytes encoded, Bytes seeds);
/// The same entry once more, secrets included.
VersionEntry clone(const VersionEntry& entry);
/// The seed of its file's keys, then its optimised form's.
SecretBytes seeds_of(const VersionEntry& entry);
/// The files that belong to it: one, or two.
std::vector<FileId> files_of(const VersionEntry& entry);

/// A version's reference as it begins every entry about it.
ByteVector encode_ref(const VersionRef& ref);
Result<VersionRef> decode_ref(ByteReader& reader);

}  // namespace cloister
