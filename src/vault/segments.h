#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/entropy.h"
#include "base/files.h"
#include "model/validated_model.h"
#include "secret/private_memory.h"
#include "vault/format.h"
#include "vault/store_keys.h"

namespace cloister {

/// A segment's plaintext where it lies: pieces in rising order of offset, zeros between them.
struct SegmentContent {
  std::uint64_t bytes = 0;
  std::vector<WeightPiece> pieces;
};

/// How segments are written and read.
struct SegmentWork {
  const StoreKeys& keys;
  unsigned threads = 2;                              ///< that compute; more read from a disk
  IntegrityMode integrity = IntegrityMode::tags;
  ShareableMemoryPool* shareable_weights = nullptr;  ///< as in VaultSettings
  AeadChoice library = AeadChoice::fastest;          ///< that hashes
};

/// Writes one version's file: header, table, graph, weights. `entry` names the file and has the
/// record, the build and the seeds; sizes, roots and the table's digest are filled in. Holds at
/// most 2 MiB for each thread beside the content. The file is synced.
/// Fails: `io`, `invalid` (pieces out of order or past the end), `too_large`.
Status write_version(const SegmentWork& work, Entropy& entropy, File& file, VersionEntry& entry,
                     const SegmentContent& graph, const SegmentContent& weights);

/// A version's file whose table was verified: reads its segments.
class VersionReader {
 public:
  /// Called when chunk `index` is in the clear and its tag held; from several threads.
  using ChunkDone = std::function<void(std::uint64_t index)>;

  /// `work`, `file` and `entry` must outlive it. Fails: `corrupt`, `io`.
  static Result<std::unique_ptr<VersionReader>> open(const SegmentWork& work, const File& file,
                                                     const VersionEntry& entry);
  ~VersionReader();
  VersionReader(const VersionReader&) = delete;
  VersionReader& operator=(const VersionReader&) = delete;

  /// The graph or the weights into `plaintext`, which has their size; what is there after a failure
  /// may not be used. From a disk into shareable weights, up to 64 chunks are held beside them.
  /// `stop` set by another thread ends it early, with `unavailable`.
  /// Fails: `corrupt` for any changed byte; `io`; `invalid` (size).
  Status read(Segment segment, MutableBytes plaintext, const ChunkDone& done = {},
              const std::atomic<bool>* stop = nullptr) const;
  /// Reads and verifies every byte, keeping one chunk for each reader.
  Status verify() const;

 private:
  struct Parts;
  explicit VersionReader(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

/// Memory for a version's weights, as `work` says. Fails: `too_large`, `io`.
Result<PrivateMemory> reserve_weights(const SegmentWork& work, std::uint64_t bytes);

/// A version's segments in the clear: verified, every byte.
struct OpenedSegments {
  PrivateMemory graph;
  PrivateMemory weights;
};

/// Reads one version's file into the memory that is returned.
/// Fails: `corrupt` for any changed, missing or additional byte; `io`.
Result<OpenedSegments> read_version(const SegmentWork& work, const File& file,
                                    const VersionEntry& entry);

/// The same into memory of the caller's, whose sizes are the segments'. What is there after a
/// failure may not be used. Fails: `invalid` for other sizes, else as above.
Status read_version_into(const SegmentWork& work, const File& file, const VersionEntry& entry,
                         MutableBytes graph, MutableBytes weights);

/// Reads and verifies as `read_version` in "full" mode does, keeping one chunk for each reader.
Status verify_version(const SegmentWork& work, const File& file, const VersionEntry& entry);

}  // namespace cloister
