#include "serving/stored_index.h"

namespace cloister {

StoredIndex::StoredIndex(const std::vector<VersionRecord>& records) {
  for (const VersionRecord& each : records) add(each);
}

void StoredIndex::add(const VersionRecord& record) {
  const MutexLock lock(mutex_);
  auto& versions = models_[record.ref.model];
  if (!versions.emplace(record.ref.version, record.stored_bytes).second) return;
  Usage& usage = owners_[record.ref.model.owner];
  usage.stored_bytes += record.stored_bytes;
  ++usage.versions;
  ++size_;
}

void StoredIndex::remove(const VersionRef& ref) {
  const MutexLock lock(mutex_);
  const auto model = models_.find(ref.model);
  if (model == models_.end()) return;
  const auto version = model->second.find(ref.version);
  if (version == model->second.end()) return;
  const auto owner = owners_.find(ref.model.owner);
  owner->second.stored_bytes -= version->second;
  if (--owner->second.versions == 0) owners_.erase(owner);
  model->second.erase(version);
  if (model->second.empty()) models_.erase(model);
  --size_;
}

void StoredIndex::resize(const VersionRecord& record) {
  const MutexLock lock(mutex_);
  const auto model = models_.find(record.ref.model);
  if (model == models_.end()) return;
  const auto version = model->second.find(record.ref.version);
  if (version == model->second.end()) return;
  Usage& usage = owners_[record.ref.model.owner];
  usage.stored_bytes = usage.stored_bytes - version->second + record.stored_bytes;
  version->second = record.stored_bytes;
}

StoredIndex::Usage StoredIndex::usage_of(const PrincipalId& owner) const {
  const MutexLock lock(mutex_);
  const auto found = owners_.find(owner);
  return found == owners_.end() ? Usage{} : found->second;
}

std::vector<VersionNumber> StoredIndex::versions_of(const ModelId& model) const {
  const MutexLock lock(mutex_);
  std::vector<VersionNumber> numbers;
  const auto found = models_.find(model);
  if (found == models_.end()) return numbers;
  numbers.reserve(found->second.size());
  for (const auto& [number, bytes] : found->second) numbers.push_back(number);
  return numbers;
}

bool StoredIndex::contains(const VersionRef& ref) const {
  const MutexLock lock(mutex_);
  const auto found = models_.find(ref.model);
  return found != models_.end() && found->second.contains(ref.version);
}

std::size_t StoredIndex::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

}  // namespace cloister
