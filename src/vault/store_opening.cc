#include "vault/store_opening.h"

#include <algorithm>
#include <string_view>

namespace cloister {
namespace {

constexpr const char* kFolders[] = {"catalogue", "staging", "versions"};

Error explained(Code code, Place where, const char* text) {
  return Error{code, where, Detail(text)};
}

Result<bool> has_store(Files& files) {
  CLOISTER_ASSIGN(const auto entries, files.list(""));
  return std::ranges::any_of(entries, [](const FolderEntry& entry) {
    return entry.name == kStorePath;
  });
}

bool contains_version(Files& files, const char* folder) {
  const auto entries = files.list(folder);
  return !entries.ok() || !entries.value().empty();
}

/// Whether a folder without the file `store` is empty, or holds no more than an interrupted first
/// start leaves behind: nothing that was ever acknowledged.
Status check_fresh(Files& files) {
  const Error foreign = explained(Code::corrupt, "vault.store.foreign",
                                  "the folder holds something and is no whole store: "
                                  "it is not made into one");
  CLOISTER_ASSIGN(const auto entries, files.list(""));
  for (const FolderEntry& entry : entries) {
    const std::string_view name = entry.name;
    if (name == "lock" || name == "store.new") continue;
    const bool ours = std::ranges::find(kFolders, name) != std::end(kFolders);
    if (!ours || entry.kind != FileKind::folder) return foreign;
    if (name != "catalogue") {
      if (contains_version(files, entry.name.c_str())) return foreign;
      continue;
    }
    CLOISTER_ASSIGN(const auto catalogues, files.list(entry.name));
    for (const FolderEntry& catalogue : catalogues) {
      const bool first = catalogue.name == "0000000000000001";
      if (!first && catalogue.name != "0000000000000001.new") return foreign;
    }
  }
  return Done{};
}

Status remove_if_there(Files& files, const std::string& path) {
  const Status removed = files.remove(path);
  if (!removed.ok() && removed.error().code != Code::not_found) return removed;
  return Done{};
}

/// Makes an empty store. The file `store` comes last: before it, the folder counts as fresh.
Status initialise(VaultParts parts, Entropy& entropy, const AeadMaker& aeads,
                  const SecretBytes& root_secret, const VaultSettings& settings) {
  for (const char* folder : kFolders) CLOISTER_TRY(parts.files.make_folder(folder));
  CLOISTER_TRY(remove_if_there(parts.files, "catalogue/0000000000000001"));
  CLOISTER_ASSIGN(StoreIdentity identity,
                  make_identity(entropy, parts.anchor.kind(), settings.upgrade_policy));
  const StoreKeys keys(aeads, SecretBytes(copy_of(StoreKeys::read(identity.store_key))));
  CLOISTER_ASSIGN(const AnchorSecret secret, fresh_anchor_secret(entropy, parts.anchor.kind(), 1));
  CLOISTER_ASSIGN(CatalogueKey key, catalogue_key(keys, secret));
  CatalogueFiles catalogue(parts.files, entropy, parts.clock, aeads, std::move(key), identity.id);
  CLOISTER_TRY(catalogue.write(Catalogue(), CatalogueChange(), true));
  CLOISTER_ASSIGN(const SecretBytes anchor_key, keys.anchor_key());
  CLOISTER_TRY(parts.anchor.bind(anchor_key, true, secret));
  return write_identity(parts.files, entropy, aeads, root_secret, identity);
}

/// Brings `staging` in line with the catalogue: what it lists is moved to its place, the rest
/// belongs to uploads that were never acknowledged.
Status sweep(Files& files, Catalogue& catalogue) {
  CLOISTER_ASSIGN(const auto entries, files.list("staging"));
  if (!entries.empty()) {
    CLOISTER_ASSIGN(const auto known, catalogue.files());
    for (const FolderEntry& entry : entries) {
      const auto id = file_id_of(entry.name);
      if (id.ok() && known.contains(id.value())) {
        CLOISTER_TRY(files.rename(staging_path(id.value()), version_path(id.value())));
      } else {
        const Status removed = files.remove("staging/" + entry.name);
        static_cast<void>(removed.ok());  // a planted folder: never read, reported by verify_store
      }
    }
    CLOISTER_TRY(files.sync_folder("versions"));
    CLOISTER_TRY(files.sync_folder("staging"));
  }
  const auto removals = catalogue.removals();
  for (const FileId& file : removals) {
    CLOISTER_TRY(remove_erased(files, file));
    catalogue.forget_removal(file);
  }
  return Done{};
}

Status require_store(VaultParts parts, bool create) {
  CLOISTER_ASSIGN(const bool exists, has_store(parts.files));
  if (exists) return Done{};
  CLOISTER_TRY(check_fresh(parts.files));
  if (create) return Done{};
  return explained(Code::not_found, "vault.store.absent", "the folder holds no store");
}

}  // namespace

Result<AnchorSecret> fresh_anchor_secret(Entropy& entropy, AnchorKind kind,
                                         std::uint64_t generation) {
  AnchorSecret secret;
  if (kind == AnchorKind::none) return secret;
  secret.generation = generation;
  CLOISTER_ASSIGN(secret.bytes, StoreKeys::fresh(entropy, kAeadKeyBytes));
  return secret;
}

Result<CatalogueKey> catalogue_key(const StoreKeys& keys, const AnchorSecret& secret) {
  CatalogueKey key;
  key.generation = secret.generation;
  CLOISTER_ASSIGN(key.bytes, keys.catalogue_key(secret.bytes));
  return key;
}

Result<std::unique_ptr<File>> open_version_file(Files& files, const FileId& id) {
  auto file = files.open_for_reading(version_path(id));
  if (file.ok() || file.error().code != Code::not_found) return file;
  file = files.open_for_reading(staging_path(id));
  if (file.ok() || file.error().code != Code::not_found) return file;
  // Just committed: it may have moved between the two looks.
  file = files.open_for_reading(version_path(id));
  if (!file.ok() && file.error().code == Code::not_found) {
    return Error{Code::corrupt, "vault.open.missing"};
  }
  return file;
}

Status remove_erased(Files& files, const FileId& file) {
  CLOISTER_TRY(remove_if_there(files, version_path(file)));
  CLOISTER_TRY(remove_if_there(files, staging_path(file)));
  CLOISTER_TRY(files.sync_folder("versions"));
  return files.sync_folder("staging");
}

Result<OpenedStore> lock_store(VaultParts parts, const VaultSettings& settings) {
  OpenedStore store;
  auto lock = parts.files.lock("lock");
  if (!lock.ok() && lock.error().code == Code::conflict) {
    return explained(Code::conflict, "vault.store.locked", "another server has this store open");
  }
  CLOISTER_ASSIGN(store.lock, std::move(lock));
  CLOISTER_ASSIGN(store.aeads, make_aeads(settings.aead, parts.clock));
  return store;
}

Result<OpenedStore> open_store(VaultParts parts, Entropy& entropy, const SecretBytes& root_secret,
                               const VaultSettings& settings, bool create) {
  CLOISTER_TRY(require_store(parts, create));
  CLOISTER_ASSIGN(OpenedStore store, lock_store(parts, settings));
  CLOISTER_ASSIGN(const bool exists, has_store(parts.files));
  if (!exists) {
    CLOISTER_TRY(require_store(parts, create));
    CLOISTER_TRY(initialise(parts, entropy, *store.aeads, root_secret, settings));
  }
  // The store may have been made by a start that failed just before this.
  CLOISTER_TRY(parts.files.sync_folder(""));
  CLOISTER_ASSIGN(StoreIdentity identity, read_identity(parts.files, *store.aeads, root_secret));
  CLOISTER_TRY(load_store(parts, entropy, settings, std::move(identity), store));
  return store;
}

Status load_store(VaultParts parts, Entropy& entropy, const VaultSettings& settings,
                  StoreIdentity identity, OpenedStore& store) {
  if (identity.anchor != parts.anchor.kind()) {
    return explained(Code::invalid, "vault.store.anchor",
                     "the store was made with another rollback anchor than is configured");
  }
  if (identity.upgrade_policy != settings.upgrade_policy) {
    return explained(Code::invalid, "vault.store.policy",
                     "the store was made with another upgrade policy than is configured");
  }
  store.id = identity.id;
  store.keys = std::make_unique<StoreKeys>(*store.aeads, std::move(identity.store_key));
  CLOISTER_ASSIGN(const SecretBytes anchor_key, store.keys->anchor_key());
  CLOISTER_TRY(parts.anchor.bind(anchor_key, false, AnchorSecret()));
  CLOISTER_ASSIGN(const AnchorSecret secret, parts.anchor.secret());
  CLOISTER_ASSIGN(CatalogueKey key, catalogue_key(*store.keys, secret));
  store.files = std::make_unique<CatalogueFiles>(parts.files, entropy, parts.clock, *store.aeads,
                                                 std::move(key), identity.id);
  CLOISTER_ASSIGN(store.catalogue, store.files->load(settings.threads));
  const Status anchored = parts.anchor.check(store.files->epoch());
  if (!anchored.ok() && anchored.error().code == Code::corrupt) {
    return explained(Code::corrupt, "vault.store.rolled_back",
                     "the store is older than its rollback anchor knows");
  }
  CLOISTER_TRY(anchored);
  // A crash between the catalogue's write and the anchor's leaves the anchor one step behind.
  CLOISTER_TRY(parts.anchor.advance(store.files->epoch()));
  CLOISTER_TRY(sweep(parts.files, store.catalogue));
  return Done{};
}

}  // namespace cloister
