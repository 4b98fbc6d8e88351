#include "vault/catalogue.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/byte_writer.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

using Kind = CatalogueImage::Kind;
using Entry = CatalogueImage::Entry;
using EntriesByKind = std::array<std::vector<Entry>, CatalogueImage::kKinds>;

std::vector<Entry>& of_kind(EntriesByKind& entries, Kind kind) {
  return entries[static_cast<std::size_t>(kind)];
}

Result<VersionRef> ref_of(const CatalogueImage& image, Kind kind, std::size_t index) {
  CLOISTER_ASSIGN(const Entry entry, image.entry(kind, index));
  ByteReader reader(entry.said);
  return decode_ref(reader);
}

/// The first of the image's entries of `kind` that is not below `ref`.
Result<std::size_t> first_from(const CatalogueImage& image, Kind kind, const VersionRef& ref) {
  std::size_t low = 0;
  std::size_t high = image.count(kind);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    CLOISTER_ASSIGN(const VersionRef found, ref_of(image, kind, middle));
    const bool below = found < ref;
    (below ? low : high) = below ? middle + 1 : middle;
  }
  return low;
}

/// The place of `ref` among the image's entries of `kind`, if it is there.
Result<std::optional<std::size_t>> place_of(const CatalogueImage& image, Kind kind,
                                            const VersionRef& ref) {
  std::optional<std::size_t> place;
  CLOISTER_ASSIGN(const std::size_t first, first_from(image, kind, ref));
  if (first == image.count(kind)) return place;
  CLOISTER_ASSIGN(const VersionRef found, ref_of(image, kind, first));
  if (found == ref) place = first;
  return place;
}

Result<VersionEntry> version_at(const CatalogueImage& image, std::size_t index) {
  CLOISTER_ASSIGN(const Entry entry, image.entry(Kind::version, index));
  return decode_version(entry.said, entry.secret);
}

std::set<FileId> set_of_files(const VersionEntry& entry) {
  const auto files = files_of(entry);
  return {files.begin(), files.end()};
}

Result<FileId> removal_at(const CatalogueImage& image, std::size_t index) {
  CLOISTER_ASSIGN(const Entry entry, image.entry(Kind::removal, index));
  FileId file{};
  if (entry.said.size() != file.size()) return Error{Code::corrupt, "vault.catalogue.removal"};
  std::ranges::copy(entry.said, file.begin());
  return file;
}

}  // namespace

Result<Catalogue> Catalogue::from_image(PrivateMemory memory, Bytes bytes) {
  CLOISTER_ASSIGN(CatalogueImage image, CatalogueImage::open(std::move(memory), bytes));
  Catalogue catalogue;
  for (std::size_t i = 0; i < image.count(Kind::removal); ++i) {
    CLOISTER_ASSIGN(const FileId file, removal_at(image, i));
    catalogue.removals_.insert(file);
  }
  catalogue.base_ = std::make_shared<const CatalogueImage>(std::move(image));
  return catalogue;
}

Status Catalogue::apply_image(PrivateMemory memory, Bytes bytes) {
  CLOISTER_ASSIGN(const CatalogueImage image, CatalogueImage::open(std::move(memory), bytes));
  for (std::size_t i = 0; i < image.count(Kind::version); ++i) {
    CLOISTER_ASSIGN(VersionEntry entry, version_at(image, i));
    CatalogueChange change;
    change.added = std::make_shared<const VersionEntry>(std::move(entry));
    CLOISTER_TRY(apply(change));
  }
  for (std::size_t i = 0; i < image.count(Kind::erased); ++i) {
    CatalogueChange change;
    CLOISTER_ASSIGN(change.erased, ref_of(image, Kind::erased, i));
    CLOISTER_TRY(apply(change));
  }
  for (std::size_t i = 0; i < image.count(Kind::record); ++i) {
    CLOISTER_ASSIGN(const Entry entry, image.entry(Kind::record, i));
    records_[std::string(text_of(entry.said))] =
        std::make_shared<const SecretBytes>(copy_of(entry.secret));
  }
  return Done{};
}

Status Catalogue::apply(const CatalogueChange& change) {
  if (change.added != nullptr) {
    CLOISTER_ASSIGN(const auto replaced, find(change.added->record.ref));
    if (replaced != nullptr) remove_files(*replaced);
    for (const FileId& file : files_of(*change.added)) removals_.erase(file);
    added_[change.added->record.ref] = change.added;
  }
  if (change.erased) {
    CLOISTER_ASSIGN(const auto entry, find(*change.erased));
    if (entry != nullptr) remove_files(*entry);
    added_.erase(*change.erased);
    erased_.insert(*change.erased);
  }
  if (change.record_name) {
    records_[*change.record_name] = change.record_content;
  }
  return Done{};
}

void Catalogue::remove_files(const VersionEntry& entry) {
  for (const FileId& file : files_of(entry)) removals_.insert(file);
}

SecretBytes Catalogue::encode_change(const CatalogueChange& change) {
  EntriesByKind entries;
  std::deque<ByteVector> owned;
  SecretBytes seeds;
  if (change.added != nullptr) {
    owned.push_back(encode_version(*change.added));
    seeds = seeds_of(*change.added);
    of_kind(entries, Kind::version).push_back({owned.back(), StoreKeys::read(seeds)});
  }
  if (change.erased) {
    owned.push_back(encode_ref(*change.erased));
    of_kind(entries, Kind::erased).push_back({owned.back(), {}});
  }
  if (change.record_name) {
    of_kind(entries, Kind::record)
        .push_back({bytes_of(*change.record_name), StoreKeys::read(*change.record_content)});
  }
  return CatalogueImage::encode(entries);
}

/// Gives `visit` every live version in rising order of reference: the one added since the image,
/// or null and the image's entry. Fails: `corrupt` when an entry does not decode.
template <class Visit>
Status Catalogue::for_each_version(Visit visit) const {
  auto added = added_.begin();
  for (std::size_t i = 0; i < base_->count(Kind::version); ++i) {
    CLOISTER_ASSIGN(const Entry entry, base_->entry(Kind::version, i));
    CLOISTER_ASSIGN(const VersionRef ref, ref_of(*base_, Kind::version, i));
    for (; added != added_.end() && added->first < ref; ++added) {
      visit(added->second.get(), Entry{});
    }
    const bool replaced = added != added_.end() && added->first == ref;
    if (!replaced && !erased_.contains(ref)) visit(nullptr, entry);
  }
  for (; added != added_.end(); ++added) visit(added->second.get(), Entry{});
  return Done{};
}

Result<SecretBytes> Catalogue::encode_whole() const {
  EntriesByKind entries;
  std::deque<ByteVector> owned;
  std::deque<SecretBytes> seeds;
  CLOISTER_TRY(for_each_version([&](const VersionEntry* added, const Entry& entry) {
    if (added == nullptr) {
      of_kind(entries, Kind::version).push_back(entry);
    } else {
      owned.push_back(encode_version(*added));
      seeds.push_back(seeds_of(*added));
      of_kind(entries, Kind::version).push_back({owned.back(), StoreKeys::read(seeds.back())});
    }
  }));
  std::set<VersionRef> erased = erased_;
  for (std::size_t i = 0; i < base_->count(Kind::erased); ++i) {
    CLOISTER_ASSIGN(VersionRef ref, ref_of(*base_, Kind::erased, i));
    erased.insert(std::move(ref));
  }
  for (const VersionRef& ref : erased) {
    owned.push_back(encode_ref(ref));
    of_kind(entries, Kind::erased).push_back({owned.back(), {}});
  }
  std::map<std::string_view, Bytes> records;
  for (std::size_t i = 0; i < base_->count(Kind::record); ++i) {
    CLOISTER_ASSIGN(const Entry entry, base_->entry(Kind::record, i));
    records[text_of(entry.said)] = entry.secret;
  }
  for (const auto& [name, content] : records_) records[name] = StoreKeys::read(*content);
  for (const auto& [name, content] : records) {
    of_kind(entries, Kind::record).push_back({bytes_of(name), content});
  }
  for (const FileId& file : removals_) of_kind(entries, Kind::removal).push_back({file, {}});
  return CatalogueImage::encode(entries);
}

Result<Catalogue> Catalogue::renewed() const {
  CLOISTER_ASSIGN(const SecretBytes whole, encode_whole());
  CLOISTER_ASSIGN(PrivateMemory memory, PrivateMemory::reserve(whole.size()));
  std::ranges::copy(StoreKeys::read(whole), memory.bytes().begin());
  const Bytes bytes = std::as_const(memory).bytes();
  return from_image(std::move(memory), bytes);
}

Result<std::shared_ptr<const VersionEntry>> Catalogue::find(const VersionRef& ref) const {
  const std::shared_ptr<const VersionEntry> none;
  if (const auto added = added_.find(ref); added != added_.end()) return added->second;
  if (erased_.contains(ref)) return none;
  CLOISTER_ASSIGN(const auto place, place_of(*base_, Kind::version, ref));
  if (!place) return none;
  CLOISTER_ASSIGN(VersionEntry entry, version_at(*base_, *place));
  return std::shared_ptr<const VersionEntry>(
      std::make_shared<const VersionEntry>(std::move(entry)));
}

Result<std::optional<VersionRef>> Catalogue::newest(const ModelId& model) const {
  const VersionRef past{model, VersionNumber{kVersionNumberMax + 1}};
  std::optional<VersionRef> newest;
  const auto added = added_.lower_bound(past);
  if (added != added_.begin() && std::prev(added)->first.model == model) {
    newest = std::prev(added)->first;
  }
  CLOISTER_ASSIGN(std::size_t place, first_from(*base_, Kind::version, past));
  while (place-- > 0) {
    CLOISTER_ASSIGN(const VersionRef ref, ref_of(*base_, Kind::version, place));
    if (ref.model != model) break;
    if (erased_.contains(ref)) continue;
    if (!newest || *newest < ref) newest = ref;
    break;
  }
  return newest;
}

Result<bool> Catalogue::is_erased(const VersionRef& ref) const {
  if (erased_.contains(ref)) return true;
  CLOISTER_ASSIGN(const auto place, place_of(*base_, Kind::erased, ref));
  return place.has_value();
}

Result<std::vector<VersionRecord>> Catalogue::versions() const {
  std::vector<VersionRecord> records;
  Status decoded = Done{};
  CLOISTER_TRY(for_each_version([&](const VersionEntry* added, const Entry& entry) {
    if (added != nullptr) {
      records.push_back(added->record);
      return;
    }
    auto version = decode_version(entry.said, entry.secret);
    if (version.ok()) {
      records.push_back(std::move(version).value().record);
    } else {
      decoded = version.error();
    }
  }));
  CLOISTER_TRY(decoded);
  return records;
}

Result<std::set<FileId>> Catalogue::files() const {
  std::set<FileId> files;
  Status decoded = Done{};
  CLOISTER_TRY(for_each_version([&](const VersionEntry* added, const Entry& entry) {
    if (added != nullptr) {
      files.merge(set_of_files(*added));
      return;
    }
    const auto version = decode_version(entry.said, entry.secret);
    if (version.ok()) {
      files.merge(set_of_files(version.value()));
    } else {
      decoded = version.error();
    }
  }));
  CLOISTER_TRY(decoded);
  return files;
}

Bytes Catalogue::record(const std::string& name) const {
  if (const auto added = records_.find(name); added != records_.end()) {
    return StoreKeys::read(*added->second);
  }
  for (std::size_t i = 0; i < base_->count(Kind::record); ++i) {
    const auto entry = base_->entry(Kind::record, i);
    if (entry.ok() && text_of(entry.value().said) == name) return entry.value().secret;
  }
  return {};
}

}  // namespace cloister
