#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "secret/private_memory.h"
#include "vault/format.h"

namespace cloister {

/// One change of the catalogue; every part may be absent.
struct CatalogueChange {
  std::shared_ptr<const VersionEntry> added;  ///< new, or instead of the one that is there
  std::optional<VersionRef> erased;
  std::optional<std::string> record_name;
  std::shared_ptr<const SecretBytes> record_content;  ///< never null with a name
};

/// The bytes of a catalogue as they are sealed: docs/store-format.md, "Catalogue". Entries are
/// found through an index and decoded when they are asked for, so that a large catalogue costs
/// little to open.
class CatalogueImage {
 public:
  enum class Kind : std::size_t { version, erased, record, removal };
  static constexpr std::size_t kKinds = 4;

  /// An entry: what it says, and what is secret: the seeds of a version's keys, a record's content.
  struct Entry {
    Bytes said;
    Bytes secret;
  };

  CatalogueImage() = default;
  /// Of `bytes`, which lie in `memory`. Fails: `corrupt` when the index is not inside them.
  static Result<CatalogueImage> open(PrivateMemory memory, Bytes bytes);
  /// `entries` by kind, each kind in rising order of key.
  static SecretBytes encode(const std::array<std::vector<Entry>, kKinds>& entries);

  std::size_t count(Kind kind) const noexcept { return counts_[static_cast<std::size_t>(kind)]; }
  /// Fails: `corrupt` when the entry is not inside the bytes.
  Result<Entry> entry(Kind kind, std::size_t index) const;

 private:
  PrivateMemory memory_;  // wiped when it is given back
  Bytes bytes_;
  std::array<std::size_t, kKinds> counts_{};
};

/// What the store holds, in memory: an image, and the changes since. A value; copying is cheap.
class Catalogue {
 public:
  Catalogue() : base_(std::make_shared<const CatalogueImage>()) {}
  /// Of a whole catalogue as it was sealed: `bytes`, which lie in `memory`. Fails: `corrupt`.
  static Result<Catalogue> from_image(PrivateMemory memory, Bytes bytes);

  /// Fails: `corrupt` when an image's entry does not decode.
  Status apply_image(PrivateMemory memory, Bytes bytes);
  Status apply(const CatalogueChange& change);
  /// Forgets that a file is to be removed.
  void forget_removal(const FileId& file) { removals_.erase(file); }

  /// Fails: `corrupt` when an entry of the image does not decode, and so do the readers below.
  Result<SecretBytes> encode_whole() const;
  static SecretBytes encode_change(const CatalogueChange& change);
  /// The same in new memory, which never held the keys of what was erased since the image.
  Result<Catalogue> renewed() const;

  /// Null when there is no such version.
  Result<std::shared_ptr<const VersionEntry>> find(const VersionRef& ref) const;
  /// The highest live version of a model.
  Result<std::optional<VersionRef>> newest(const ModelId& model) const;
  Result<bool> is_erased(const VersionRef& ref) const;
  /// In order of reference.
  Result<std::vector<VersionRecord>> versions() const;
  /// Every live version's file. Costs one pass.
  Result<std::set<FileId>> files() const;
  /// Empty when there is none; lives as long as this does.
  Bytes record(const std::string& name) const;
  /// Files of erased versions and replaced forms that may still exist.
  const std::set<FileId>& removals() const noexcept { return removals_; }

 private:
  template <class Visit>
  Status for_each_version(Visit visit) const;
  void remove_files(const VersionEntry& entry);

  std::shared_ptr<const CatalogueImage> base_;
  std::map<VersionRef, std::shared_ptr<const VersionEntry>> added_;
  std::set<VersionRef> erased_;  ///< since the image; hides what the image says
  std::map<std::string, std::shared_ptr<const SecretBytes>> records_;
  std::set<FileId> removals_;
};

}  // namespace cloister
