#include "vault/vault.h"

#include <algorithm>
#include <atomic>
#include <functional>

#include "base/check.h"
#include "base/mutex.h"
#include "vault/catalogue_files.h"
#include "vault/early_opening.h"
#include "vault/segments.h"
#include "vault/store_file.h"
#include "vault/store_opening.h"

namespace cloister {
namespace {

const std::string kLogRecord = "log.";

/// One entropy source for several threads.
class SharedEntropy final : public Entropy {
 public:
  explicit SharedEntropy(Entropy& source) noexcept : source_(source) {}
  Status fill(MutableBytes destination) noexcept override {
    const MutexLock lock(mutex_);
    return source_.fill(destination);
  }

 private:
  Entropy& source_;
  Mutex mutex_;
};

std::string name_of_version(const VersionRef& ref) {
  return "model \"" + ref.model.owner.value + "." + ref.model.name + "\" version " +
         std::to_string(ref.version.value);
}

Error about(const VersionRef& ref, Error error) {
  if (error.code == Code::corrupt) {
    error.detail = Detail(name_of_version(ref) + ": what is stored fails its integrity check");
  } else if (error.code == Code::io) {
    error.detail = Detail(name_of_version(ref) + ": the host's disk failed");
  }
  return error;
}

Status check_tensors(const std::vector<TensorSpec>& tensors) {
  constexpr std::size_t kTextMax = 0xffff;
  if (tensors.size() > kSignatureTensorsMax) return Error{Code::too_large, "vault.stage.tensors"};
  for (const TensorSpec& tensor : tensors) {
    const bool fits = tensor.name.size() <= kTextMax && tensor.extents.size() <= 0xff &&
                      std::ranges::all_of(tensor.extents, [](const Extent& extent) {
                        return extent.symbol.size() <= kTextMax;
                      });
    if (!fits) return Error{Code::too_large, "vault.stage.tensor"};
  }
  return Done{};
}

Status check_record(const VersionRecord& record) {
  const auto& [model, version] = record.ref;
  const auto named = [](const std::string& name) {
    return !name.empty() && name.size() <= kModelNameMax;
  };
  if (!named(model.owner.value) || !named(model.name) || version.value == 0 ||
      version.value > kVersionNumberMax) {
    return Error{Code::invalid, "vault.stage.ref"};
  }
  CLOISTER_TRY(check_tensors(record.signature.inputs));
  CLOISTER_TRY(check_tensors(record.signature.optional_inputs));
  return check_tensors(record.signature.outputs);
}

Result<OpenedModel> open_file(const SegmentWork& work, const File& file,
                              const VersionEntry& entry) {
  CLOISTER_ASSIGN(OpenedSegments segments, read_version(work, file, entry));
  CLOISTER_ASSIGN(GraphBundle bundle, decode_bundle(segments.graph.bytes()));
  if (bundle.weights_bytes != entry.weights_bytes) return Error{Code::corrupt, "vault.open.bundle"};
  OpenedModel opened;
  opened.bundle = std::move(bundle);
  opened.weights = std::move(segments.weights);
  return opened;
}

/// One file of a version: its own, or its optimised form's.
Result<OpenedModel> open_either(const SegmentWork& work, std::unique_ptr<File> file,
                                std::shared_ptr<const VersionEntry> entry, bool early) {
  if (early && entry->weights_bytes > 0) return open_early(work, std::move(file), std::move(entry));
  return open_file(work, *file, *entry);
}

/// Opens the form that `opening` asks for, else the canonical one; `open` opens the file of an id.
template <class Open>
Result<OpenedModel> open_entry(const SegmentWork& work,
                               const std::shared_ptr<const VersionEntry>& entry,
                               const Opening& opening, Open open) {
  if (entry->optimised != nullptr && entry->optimised->fits == opening.fits) {
    const std::shared_ptr<const VersionEntry> sealed(entry->optimised, &entry->optimised->sealed);
    auto file = open(sealed->file);
    auto opened = file.ok()
                      ? open_either(work, std::move(file).value(), sealed, opening.early)
                      : file.error();
    // A form that is damaged or gone can be made anew: what must not be lost is the version.
    if (opened.ok()) {
      opened.value().optimised = true;
      opened.value().worth_packing = entry->optimised->worth_packing;
      return opened;
    }
  }
  CLOISTER_ASSIGN(auto file, open(entry->file));
  return open_either(work, std::move(file), entry, opening.early);
}

/// What a vault does for a version that is not committed yet.
struct StagingWork {
  Files& files;
  const SegmentWork& work;
  /// Seals a model into a new file below `staging`: fills the entry's file, seeds and seals.
  std::function<Status(VersionEntry& entry, const ValidatedModel& model)> write;
};

class StoredVersion final : public StagedVersion {
 public:
  /// `entry` is new, its file below `staging`; or, with `replaced`, a copy of a committed one.
  StoredVersion(StagingWork staging, VersionEntry entry,
                std::shared_ptr<const VersionEntry> replaced)
      : staging_(std::move(staging)),
        entry_(std::make_shared<VersionEntry>(std::move(entry))),
        replaced_(std::move(replaced)) {}
  ~StoredVersion() override {
    if (settled_) return;
    for (const FileId& file : new_files()) {
      const Status removed = staging_.files.remove(staging_path(file));
      static_cast<void>(removed.ok());  // swept at the next start
    }
  }

  const VersionRecord& record() const noexcept override { return entry_->record; }
  Result<OpenedModel> open(const Opening& opening) const override {
    auto opened = open_entry(staging_.work, entry(), opening, [this](const FileId& file) {
      return open_version_file(staging_.files, file);
    });
    if (!opened.ok()) return about(entry_->record.ref, opened.error());
    return opened;
  }

  Status add(const OptimisedForm& form) override {
    CLOISTER_CHECK(form_ == nullptr);
    if (form.fits.empty() || form.fits.size() > kFitsMax) {
      return Error{Code::invalid, "vault.form.fits"};
    }
    auto made = std::make_shared<OptimisedEntry>();
    made->fits = form.fits;
    made->sealed.record.ref = entry_->record.ref;
    made->sealed.record.sha256 = entry_->record.sha256;
    CLOISTER_TRY(staging_.write(made->sealed, form.model));
    form_ = std::move(made);
    entry_->optimised = form_;
    entry_->record.stored_bytes =
        layout_of(entry_->graph_bytes, entry_->weights_bytes).end +
        layout_of(form_->sealed.graph_bytes, form_->sealed.weights_bytes).end;
    return Done{};
  }
  void set_worth_packing(bool worth) override {
    if (form_ != nullptr) form_->worth_packing = worth;
  }

  std::shared_ptr<const VersionEntry> entry() const noexcept { return entry_; }
  /// The committed entry that this one takes the place of; null for a new version.
  const std::shared_ptr<const VersionEntry>& replaced() const noexcept { return replaced_; }
  /// The files that were written for it.
  std::vector<FileId> new_files() const {
    std::vector<FileId> files;
    if (replaced_ == nullptr) files.push_back(entry_->file);
    if (form_ != nullptr) files.push_back(form_->sealed.file);
    return files;
  }
  /// The files' fate is the catalogue's from now on.
  void settle() noexcept { settled_ = true; }

 private:
  const StagingWork staging_;
  std::shared_ptr<VersionEntry> entry_;
  std::shared_ptr<const VersionEntry> replaced_;
  std::shared_ptr<OptimisedEntry> form_;  // what `add` made; also in entry_
  bool settled_ = false;
};

class SealedVault final : public Vault {
 public:
  SealedVault(VaultParts parts, const VaultSettings& settings,
              std::unique_ptr<SharedEntropy> entropy,
              OpenedStore store)
      : parts_(parts), settings_(settings), entropy_(std::move(entropy)),
        store_(std::move(store)),
        work_{*store_.keys, settings.threads, settings.integrity, settings.shareable_weights,
              settings.aead},
        state_(std::make_shared<const Catalogue>(std::move(store_.catalogue))),
        epoch_(store_.files->epoch()) {}

  Result<std::unique_ptr<StagedVersion>> stage(VersionRecord record,
                                               const ValidatedModel& model) override {
    CLOISTER_TRY(check_record(record));
    CLOISTER_TRY(check_free(record.ref));
    VersionEntry entry;
    entry.record = std::move(record);
    if (encode_version(entry).size() > kEntryBytesMax) {
      return Error{Code::too_large, "vault.stage.entry",
                   Detail("the names of the model's inputs and outputs and of their extents take "
                          "more than " + std::to_string(kEntryBytesMax) + " bytes together")};
    }
    CLOISTER_TRY(write_file(entry, model));
    return staged(std::move(entry), nullptr);
  }

  Result<std::unique_ptr<StagedVersion>> restage(const VersionRef& ref) override {
    CLOISTER_ASSIGN(auto entry, state()->find(ref));
    if (entry == nullptr) return Error{Code::not_found, "vault.restage.ref"};
    return staged(clone(*entry), entry);
  }

  Status commit(std::unique_ptr<StagedVersion> staged) override {
    auto* version = dynamic_cast<StoredVersion*>(staged.get());
    CLOISTER_CHECK(version != nullptr);
    const std::shared_ptr<const VersionEntry> replaced = version->replaced();
    const std::vector<FileId> files = version->new_files();
    const MutexLock lock(write_mutex_);
    if (replaced == nullptr) {
      CLOISTER_TRY(check_free(version->entry()->record.ref));
    } else {
      CLOISTER_TRY(check_current(*replaced));
    }
    CatalogueChange change;
    change.added = version->entry();
    const Status changed = write(change, false);
    // After a failure that leaves the disk unknown, the next start decides about the files.
    if (changed.ok() || store_.files->stuck()) version->settle();
    CLOISTER_TRY(changed);
    for (const FileId& file : files) move_to_versions(file);
    if (replaced != nullptr && replaced->optimised != nullptr) {
      remove_version_files({replaced->optimised->sealed.file});
    }
    return anchor_result_;
  }

  std::vector<VersionRecord> versions() const override {
    auto records = state()->versions();
    return records.ok() ? std::move(records).value() : std::vector<VersionRecord>();
  }

  std::optional<VersionRecord> find(const VersionRef& ref) const override {
    const auto entry = state()->find(ref);
    if (!entry.ok() || entry.value() == nullptr) return {};
    return entry.value()->record;
  }

  std::optional<VersionRecord> newest(const ModelId& model) const override {
    const auto state = this->state();
    const auto ref = state->newest(model);
    if (!ref.ok() || !ref.value()) return {};
    const auto entry = state->find(*ref.value());
    if (!entry.ok() || entry.value() == nullptr) return {};
    return entry.value()->record;
  }

  bool is_erased(const VersionRef& ref) const override {
    const auto erased = state()->is_erased(ref);
    return !erased.ok() || erased.value();
  }

  Result<OpenedModel> open_version(const VersionRef& ref,
                                   const Opening& opening) const override {
    CLOISTER_ASSIGN(const auto entry, state()->find(ref));
    if (entry == nullptr) return Error{Code::not_found, "vault.open.ref"};
    auto opened = open_entry(work_, entry, opening, [this](const FileId& file) {
      return open_version_file(parts_.files, file);
    });
    if (opened.ok()) return opened;
    // Erased meanwhile: its file is gone because it should be.
    CLOISTER_ASSIGN(const auto again, state()->find(ref));
    if (again == nullptr) return Error{Code::not_found, "vault.open.ref"};
    return about(ref, opened.error());
  }

  Result<Erasure> erase(const VersionRef& ref) override {
    const MutexLock lock(write_mutex_);
    CLOISTER_ASSIGN(const auto entry, state()->find(ref));
    if (entry == nullptr) return Error{Code::not_found, "vault.erase.ref"};
    CatalogueChange change;
    change.erased = ref;
    CLOISTER_TRY(write_under_new_secret(change));
    remove_version_files(files_of(*entry));
    CLOISTER_TRY(anchor_result_);
    return anchor() == AnchorKind::none ? Erasure::not_anchored : Erasure::bounded_by_anchor;
  }

  Status with_record(const std::string& name, const RecordUse& use) const override {
    const auto state = this->state();
    return use(state->record(name));
  }

  Status put_record(const std::string& name, Bytes content) override {
    if (name.empty() || name.size() > kRecordNameMax || content.size() > kRecordBytesMax) {
      return Error{Code::too_large, "vault.put_record.size"};
    }
    const MutexLock lock(write_mutex_);
    CatalogueChange change;
    change.record_name = name;
    change.record_content = std::make_shared<const SecretBytes>(copy_of(content));
    CLOISTER_TRY(write(change, false));
    return anchor_result_;
  }

  Result<std::unique_ptr<SealedLog>> open_log(const std::string& name) override {
    if (!is_name(name)) return Error{Code::invalid, "vault.log.name"};
    std::optional<LogPosition> anchored;
    CLOISTER_TRY(with_record(kLogRecord + name, [&](Bytes position) -> Status {
      if (position.empty()) return Done{};
      CLOISTER_ASSIGN(anchored, decode_position(position));
      return Done{};
    }));
    CLOISTER_ASSIGN(SecretBytes key, store_.keys->log_key());
    return SealedLog::open(
        {parts_.files, *entropy_, *store_.aeads, std::move(key), store_.id, name}, anchored);
  }

  Status anchor_log(const std::string& name, const LogPosition& position) override {
    return put_record(kLogRecord + name, encode_position(position));
  }

  std::uint64_t epoch() const noexcept override { return epoch_.load(); }
  AnchorKind anchor() const noexcept override { return parts_.anchor.kind(); }

 private:
  std::shared_ptr<const Catalogue> state() const {
    const MutexLock lock(state_mutex_);
    return state_;
  }

  Status check_free(const VersionRef& ref) const {
    const auto state = this->state();
    CLOISTER_ASSIGN(const auto entry, state->find(ref));
    if (entry != nullptr) return Error{Code::conflict, "vault.ref.taken"};
    CLOISTER_ASSIGN(const bool erased, state->is_erased(ref));
    if (erased) return Error{Code::conflict, "vault.ref.erased"};
    return Done{};
  }

  /// Whether a version is as it was when it was staged again, but for another form.
  Status check_current(const VersionEntry& staged) const {
    CLOISTER_ASSIGN(const auto entry, state()->find(staged.record.ref));
    if (entry == nullptr) return Error{Code::not_found, "vault.commit.ref"};
    if (files_of(*entry) != files_of(staged)) {
      return Error{Code::conflict, "vault.commit.form"};
    }
    return Done{};
  }

  std::unique_ptr<StagedVersion> staged(VersionEntry entry,
                                        std::shared_ptr<const VersionEntry> replaced) {
    StagingWork staging{parts_.files, work_,
                        [this](VersionEntry& form, const ValidatedModel& model) {
                          return write_file(form, model);
                        }};
    return std::make_unique<StoredVersion>(std::move(staging), std::move(entry),
                                           std::move(replaced));
  }

  /// Seals `model` into a new file below `staging`, which is gone again after a failure. Of
  /// `entry` the record is set.
  Status write_file(VersionEntry& entry, const ValidatedModel& model) {
    entry.build = settings_.build;
    CLOISTER_TRY(entropy_->fill(entry.file));
    CLOISTER_ASSIGN(entry.seed, StoreKeys::fresh(*entropy_, kSeedBytes));
    Status written = write_segments(entry, model);
    if (!written.ok()) {
      const Status removed = parts_.files.remove(staging_path(entry.file));
      static_cast<void>(removed.ok());  // swept at the next start
    }
    return written;
  }

  Status write_segments(VersionEntry& entry, const ValidatedModel& model) {
    ByteVector graph = encode_bundle(model.bundle());
    const SegmentContent graph_content{graph.size(), {{0, graph}}};
    const SegmentContent weights{model.bundle().weights_bytes, model.weights()};
    CLOISTER_ASSIGN(const auto file, parts_.files.create(staging_path(entry.file)));
    const Status written = write_version(work_, *entropy_, *file, entry, graph_content, weights);
    wipe(graph);
    CLOISTER_TRY(written);
    // A move must be durable where it leads before it is where it came from.
    const MutexLock lock(folders_mutex_);
    if (moved_) CLOISTER_TRY(parts_.files.sync_folder("versions"));
    moved_ = false;
    return parts_.files.sync_folder("staging");
  }

  /// Not durable yet, which does no harm: a start moves again what it finds in `staging`, and
  /// what cannot be moved is read where it is.
  void move_to_versions(const FileId& file) {
    const MutexLock lock(folders_mutex_);
    const Status renamed = parts_.files.rename(staging_path(file), version_path(file));
    moved_ = moved_ || renamed.ok();
  }

  /// Makes `change` durable and then current. On failure nothing has changed. What the anchor
  /// said of it is in `anchor_result_`.
  Status write(const CatalogueChange& change, bool whole,
               const std::function<Status()>& confirm = {}) REQUIRES(write_mutex_) {
    auto next = std::make_shared<Catalogue>(*state());
    CLOISTER_TRY(next->apply(change));
    if (whole) {
      CLOISTER_ASSIGN(*next, next->renewed());
    }
    CLOISTER_TRY(store_.files->write(*next, change, whole, confirm));
    {
      const MutexLock lock(state_mutex_);
      state_ = std::move(next);
    }
    epoch_.store(store_.files->epoch());
    anchor_result_ = parts_.anchor.advance(epoch_.load());
    return Done{};
  }

  /// The same under a new secret of the anchor's, so that no older catalogue opens again. A crash
  /// between catalogue and anchor leaves the older catalogue, which the next start goes back to.
  Status write_under_new_secret(const CatalogueChange& change) REQUIRES(write_mutex_) {
    if (anchor() == AnchorKind::none) return write(change, true);
    CLOISTER_ASSIGN(const AnchorSecret now, parts_.anchor.secret());
    CLOISTER_ASSIGN(const AnchorSecret next,
                    fresh_anchor_secret(*entropy_, anchor(), now.generation + 1));
    CLOISTER_ASSIGN(CatalogueKey key, catalogue_key(*store_.keys, next));
    CatalogueKey before = store_.files->change_key(std::move(key));
    Status written = write(change, true, [&] { return parts_.anchor.replace_secret(next); });
    if (!written.ok()) store_.files->change_key(std::move(before));
    return written;
  }

  /// The keys are gone already; files that cannot be removed now are removed at a later start.
  void remove_version_files(const std::vector<FileId>& files) REQUIRES(write_mutex_) {
    auto next = std::make_shared<Catalogue>(*state());
    for (const FileId& file : files) {
      if (remove_erased(parts_.files, file).ok()) next->forget_removal(file);
    }
    const MutexLock lock(state_mutex_);
    state_ = std::move(next);
  }

  VaultParts parts_;
  VaultSettings settings_;
  std::unique_ptr<SharedEntropy> entropy_;
  OpenedStore store_;
  SegmentWork work_;
  Mutex write_mutex_;
  Status anchor_result_ GUARDED_BY(write_mutex_) = Done{};
  Mutex folders_mutex_;
  bool moved_ GUARDED_BY(folders_mutex_) = false;  ///< since `versions` was synced
  mutable Mutex state_mutex_;
  std::shared_ptr<const Catalogue> state_ GUARDED_BY(state_mutex_);
  std::atomic<std::uint64_t> epoch_;
};

}  // namespace

Result<std::unique_ptr<Vault>> open_vault(VaultParts parts, const SecretBytes& root_secret,
                                          const VaultSettings& settings, bool create) {
  if (settings.threads == 0 || settings.threads > 64) {
    return Error{Code::invalid, "vault.settings.threads"};
  }
  auto entropy = std::make_unique<SharedEntropy>(parts.entropy);
  CLOISTER_ASSIGN(OpenedStore store, open_store(parts, *entropy, root_secret, settings, create));
  return std::unique_ptr<Vault>(
      std::make_unique<SealedVault>(parts, settings, std::move(entropy), std::move(store)));
}

}  // namespace cloister
