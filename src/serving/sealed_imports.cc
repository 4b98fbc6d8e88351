#include "serving/sealed_imports.h"

#include <algorithm>
#include <utility>

#include "sealed/sealed_model.h"

namespace cloister {
namespace {

constexpr std::uint64_t kPrefaceBytesMax = kSealedHeaderBytesMax + 64;

Result<SealedModel> read_preface(const File& file, std::uint64_t size) {
  ByteVector head(std::min(size, kPrefaceBytesMax));
  CLOISTER_TRY(file.read_at(0, head));
  return SealedModel::read(head);
}

}  // namespace

Status SealedImports::run() {
  CLOISTER_ASSIGN(auto entries, parts_.folder.list(""));
  if (entries.size() > kImportFilesMax) return Error{Code::too_large, "import.files"};
  std::ranges::sort(entries, {}, &FolderEntry::name);
  for (const FolderEntry& entry : entries) {
    if (entry.kind != FileKind::regular) continue;
    const Status admitted = admit(entry.name);
    if (admitted.ok()) continue;
    parts_.events.record(OperationFailed{admitted.error().code, admitted.error().where});
  }
  return Done{};
}

const ExpectedModel* SealedImports::find(const SealedHeader& header) const {
  const VersionRef ref{{header.owner, header.name}, header.version};
  const auto found = std::ranges::find_if(expected_, [&](const ExpectedModel& each) {
    return each.ref == ref && each.sha256 == header.sha256;
  });
  return found == expected_.end() ? nullptr : &*found;
}

Status SealedImports::admit(const std::string& name) {
  CLOISTER_ASSIGN(const auto file, parts_.folder.open_for_reading(name));
  CLOISTER_ASSIGN(const std::uint64_t size, file->size());
  CLOISTER_ASSIGN(const SealedModel sealed, read_preface(*file, size));
  const ExpectedModel* const expected = find(sealed.header());
  if (expected == nullptr) return Error{Code::denied, "import.expected"};
  CLOISTER_ASSIGN(const Caller owner, parts_.principals.acting_for(expected->ref.model.owner));
  if (parts_.models.was_used(expected->ref)) return Done{};
  if (sealed.header().size > parts_.model_bytes_max || size != sealed.file_size()) {
    return Error{Code::too_large, "import.size"};
  }
  CLOISTER_TRY(parts_.models.may_upload(owner, expected->ref, sealed.header().size));
  ReceivedModel received;
  CLOISTER_ASSIGN(received.memory, PrivateMemory::reserve(size));
  received.size = size;
  CLOISTER_TRY(file->read_at(0, received.memory.bytes().first(size)));
  CLOISTER_TRY(parts_.sealed.open_upload(owner, expected->ref, received));
  // The host may have changed the file since its preface was read.
  if (received.claimed_sha256 != expected->sha256) return Error{Code::denied, "import.changed"};
  CLOISTER_ASSIGN(const UploadOutcome outcome,
                  parts_.models.upload(owner, expected->ref, std::move(received)));
  if (!outcome.findings.empty()) return Error{Code::refused, "import.findings"};
  AuditEvent event;
  event.action = AuditAction::version_imported;
  event.model = expected->ref.model.name;
  event.version = expected->ref.version;
  event.sha256 = expected->sha256;
  return parts_.audit.record(expected->ref.model.owner, event);
}

}  // namespace cloister
