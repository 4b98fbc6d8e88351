#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/files.h"
#include "vault/catalogue.h"
#include "vault/store_keys.h"

namespace cloister {

/// What catalogue files are sealed under, and the generation of the anchor's secret in it.
struct CatalogueKey {
  std::uint64_t generation = 0;
  SecretBytes bytes;
};

/// The catalogue on disk: one file for each epoch, either the whole of it or one change, each
/// bound to the one before. Used by one thread at a time.
/// Source: docs/store-format.md, "Catalogue files".
class CatalogueFiles {
 public:
  /// `key` is the catalogue's. The references must outlive this.
  CatalogueFiles(Files& files, Entropy& entropy, const Clock& clock, const AeadMaker& aeads,
                 CatalogueKey key, const StoreId& store) noexcept
      : files_(files), entropy_(entropy), clock_(clock), aeads_(aeads), key_(std::move(key)),
        store_(store) {}

  /// Reads what is on disk, by `threads` threads, and removes what an interrupted write or a
  /// superseded catalogue left.
  /// Fails: `corrupt` (missing, damaged, of another store or history), `io`.
  Result<Catalogue> load(unsigned threads);
  /// Seals what is written from now on under `key`; a whole catalogue must come next. Returns the
  /// key that it replaces.
  CatalogueKey change_key(CatalogueKey key) noexcept { return std::exchange(key_, std::move(key)); }
  /// Writes `change`, after which the catalogue is `next`, as the next epoch: durable on success.
  /// `whole` writes all of `next`, and older files are removed. `confirm`, if any, runs between the
  /// two and makes the change final. On failure the disk is as before, or no further change is
  /// accepted until the next start. Fails: `io`, `unavailable` (after such a failure).
  Status write(const Catalogue& next, const CatalogueChange& change, bool whole,
               const std::function<Status()>& confirm = {});

  /// Whether a failed write may or may not be on disk: the next start finds out.
  bool stuck() const noexcept { return stuck_; }
  std::uint64_t epoch() const noexcept { return epoch_; }
  /// The newest time at which a change was sealed.
  UtcSeconds sealed_at() const noexcept { return sealed_at_; }

 private:
  struct Stored;
  Result<std::vector<std::uint64_t>> list_epochs();
  Result<Stored> read(std::uint64_t epoch);
  Status apply(Stored& stored, unsigned threads, Catalogue& catalogue);
  Status drop_unfinished(std::vector<std::uint64_t>& epochs);
  Status put(std::uint64_t epoch, Bytes content);
  void remove_before(std::uint64_t epoch);

  Files& files_;
  Entropy& entropy_;
  const Clock& clock_;
  const AeadMaker& aeads_;
  CatalogueKey key_;
  StoreId store_;
  std::uint64_t epoch_ = 0;
  Sha256Digest last_{};             ///< what binds the next file to the newest
  UtcSeconds sealed_at_{};
  std::size_t changes_ = 0;         ///< files since the whole catalogue
  std::uint64_t change_bytes_ = 0;  ///< their size
  std::uint64_t whole_bytes_ = 0;
  bool stuck_ = false;              ///< a write failed and may or may not be on disk
};

}  // namespace cloister
