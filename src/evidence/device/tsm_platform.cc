#include "evidence/device/tsm_platform.h"

#include "base/mutex.h"
#include "evidence/device/device_file.h"

namespace cloister {
namespace {

constexpr std::size_t kTextBytesMax = 64;

Result<std::string> read_word(const std::string& path) {
  CLOISTER_ASSIGN(const ByteVector text, read_device_file(path, kTextBytesMax));
  std::string word(text_of(text));
  while (!word.empty() && (word.back() == '\n' || word.back() == '\0')) word.pop_back();
  return word;
}

class TsmPlatform final : public Platform {
 public:
  TsmPlatform(const TsmSettings& settings, EvidenceKind kind)
      : settings_(settings), kind_(kind) {}

  EvidenceKind kind() const noexcept override { return kind_; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    CLOISTER_ASSIGN(const DeviceFolder entry,
                    DeviceFolder::make(settings_.root + "/" + settings_.entry));
    CLOISTER_TRY(write_device_file(entry.file("inblob"), report_data));
    CLOISTER_ASSIGN(const std::string before, read_word(entry.file("generation")));
    PlatformEvidence made;
    CLOISTER_ASSIGN(made.evidence, read_device_file(entry.file("outblob"), kEvidenceBytesMax));
    if (kind_ == EvidenceKind::snp) {
      Result<ByteVector> table = read_device_file(entry.file("auxblob"), kEvidenceBytesMax);
      if (table.ok()) made.endorsements = std::move(table).value();
    }
    // Somebody else may write to the same entry: then the report is not over our bytes.
    CLOISTER_ASSIGN(const std::string after, read_word(entry.file("generation")));
    if (before != after || made.evidence.empty()) return Error{Code::io, "tsm.generation"};
    return made;
  }

  Result<SecretBytes> root_secret() override {
    if (kind_ != EvidenceKind::snp || !settings_.derive_key) {
      return Error{Code::unavailable, "tsm.sealing"};
    }
    return settings_.derive_key();
  }

 private:
  const TsmSettings settings_;
  const EvidenceKind kind_;
  Mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_tsm_platform(const TsmSettings& settings) {
  CLOISTER_ASSIGN(const DeviceFolder entry,
                  DeviceFolder::make(settings.root + "/" + settings.entry));
  CLOISTER_ASSIGN(const std::string provider, read_word(entry.file("provider")));
  if (provider != "tdx_guest" && provider != "sev_guest") {
    return Error{Code::unavailable, "tsm.provider"};
  }
  const EvidenceKind kind = provider == "tdx_guest" ? EvidenceKind::tdx : EvidenceKind::snp;
  return std::unique_ptr<Platform>(std::make_unique<TsmPlatform>(settings, kind));
}

}  // namespace cloister
