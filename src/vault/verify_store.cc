#include <algorithm>
#include <string_view>

#include "vault/segments.h"
#include "vault/store_opening.h"
#include "vault/vault.h"

namespace cloister {
namespace {

Status verify(Files& files, const SegmentWork& work, const VersionEntry& entry) {
  CLOISTER_ASSIGN(const auto file, open_version_file(files, entry.file));
  return verify_version(work, *file, entry);
}

/// A version's own file, and its optimised form's.
void verify_files(Files& files, const SegmentWork& work, const VersionEntry& entry,
                  StoreReport& report) {
  const Status own = verify(files, work, entry);
  if (own.ok()) ++report.whole;
  if (!own.ok()) {
    report.damaged.push_back({entry.record.ref, version_path(entry.file), false, own.error().code});
  }
  if (entry.optimised == nullptr) return;
  const VersionEntry& sealed = entry.optimised->sealed;
  const Status form = verify(files, work, sealed);
  if (form.ok()) return;
  report.damaged.push_back({entry.record.ref, version_path(sealed.file), true, form.error().code});
}

Status list_unknown(Files& files, const Catalogue& catalogue, std::vector<std::string>& unknown) {
  constexpr std::string_view kOurs[] = {"lock",    "store",   "catalogue",
                                       "staging", "versions", "log"};
  CLOISTER_ASSIGN(const auto known, catalogue.files());
  CLOISTER_ASSIGN(const auto entries, files.list(""));
  for (const FolderEntry& entry : entries) {
    if (std::ranges::find(kOurs, entry.name) == std::end(kOurs)) unknown.push_back(entry.name);
  }
  for (const std::string folder : {"staging", "versions"}) {
    CLOISTER_ASSIGN(const auto below, files.list(folder));
    for (const FolderEntry& entry : below) {
      const auto id = file_id_of(entry.name);
      if (!id.ok() || !known.contains(id.value())) unknown.push_back(folder + "/" + entry.name);
    }
  }
  CLOISTER_ASSIGN(const auto catalogues, files.list("catalogue"));
  for (const FolderEntry& entry : catalogues) {
    if (entry.name.size() != 16) unknown.push_back("catalogue/" + entry.name);
  }
  std::ranges::sort(unknown);
  return Done{};
}

}  // namespace

Result<StoreReport> verify_store(VaultParts parts, const SecretBytes& root_secret,
                                 const VaultSettings& settings) {
  CLOISTER_ASSIGN(const OpenedStore store,
                  open_store(parts, parts.entropy, root_secret, settings, false));
  const SegmentWork work{*store.keys, settings.threads, IntegrityMode::full, nullptr,
                         settings.aead};
  StoreReport report;
  report.epoch = store.files->epoch();
  CLOISTER_ASSIGN(const auto records, store.catalogue.versions());
  report.versions = records.size();
  for (const VersionRecord& record : records) {
    CLOISTER_ASSIGN(const auto entry, store.catalogue.find(record.ref));
    if (entry == nullptr) return Error{Code::corrupt, "vault.verify.entry"};
    verify_files(parts.files, work, *entry, report);
  }
  CLOISTER_TRY(list_unknown(parts.files, store.catalogue, report.unknown_files));
  return report;
}

}  // namespace cloister
