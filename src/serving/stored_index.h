#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "vault/vault.h"

namespace cloister {

/// What each owner has stored, counted once and then kept up to date, so that a quota or a list of
/// versions is found without a walk through the catalogue. Safe from several threads.
class StoredIndex {
 public:
  struct Usage {
    std::uint64_t stored_bytes = 0;
    std::size_t versions = 0;
  };

  explicit StoredIndex(const std::vector<VersionRecord>& records);

  /// Of a version that was committed, or erased. Doing either twice changes nothing.
  void add(const VersionRecord& record);
  void remove(const VersionRef& ref);
  /// Of a version that takes another number of bytes now; of one that is not here, nothing.
  void resize(const VersionRecord& record);

  Usage usage_of(const PrincipalId& owner) const;
  /// Rising; empty where there is no such model.
  std::vector<VersionNumber> versions_of(const ModelId& model) const;
  bool contains(const VersionRef& ref) const;
  std::size_t size() const;

 private:
  mutable Mutex mutex_;
  std::map<ModelId, std::map<VersionNumber, std::uint64_t>> models_ GUARDED_BY(mutex_);
  std::map<PrincipalId, Usage> owners_ GUARDED_BY(mutex_);
  std::size_t size_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cloister
