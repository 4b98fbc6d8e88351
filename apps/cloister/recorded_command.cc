#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "commands.h"
#include "encoding/hex.h"
#include "local_files.h"
#include "server_access.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

/// What lies beside evidence of any name and belongs to it.
constexpr std::array kCompanions{"vcek.der",   "vlek.der",    "vek.der",         "ak.tpmt",
                                 "ak.name",    "ak_ecc.tpmt", "ak_ecc.name",     "ak_rsa.tpmt",
                                 "ak_rsa.name", "ak_spki.der", "pcrs_sha256.txt", "pcrs.bin"};

Error unreadable(const std::string& path) {
  return Error{Code::not_found, "cli.evidence", Detail(path + ": cannot be read")};
}

/// Whether `file` is the evidence, has its stem, or is one of the companions.
bool belongs(const std::string& file, const std::string& evidence) {
  const std::string stem = evidence.substr(0, evidence.find('.')) + ".";
  return file == evidence || file.starts_with(stem) ||
         std::find(kCompanions.begin(), kCompanions.end(), file) != kCompanions.end();
}

}  // namespace

Result<RecordedEvidence> read_recorded(const Options& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path(options.evidence);
  const bool is_folder = fs::is_directory(path, error);
  fs::path folder = is_folder ? path : path.parent_path();
  if (folder.empty()) folder = ".";
  RecordedEvidence recorded;
  if (!is_folder) recorded.name = path.filename().string();
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (!entry.is_regular_file(error) || recorded.files.size() >= kRecordedFilesMax) continue;
    if (!is_folder && !belongs(file, recorded.name)) continue;
    CLOISTER_ASSIGN(ByteVector content,
                    read_local_file(entry.path().string(), kRecordedFileBytesMax));
    recorded.files.emplace(file, std::move(content));
  }
  if (error || recorded.files.empty()) return unreadable(options.evidence);
  if (!options.nonce.empty()) {
    CLOISTER_ASSIGN(recorded.nonce, hex_decode(options.nonce));
  }
  return recorded;
}

Result<UtcSeconds> time_to_judge(const Options& options, const Tools& tools) {
  if (options.at.empty()) return tools.clock.utc();
  const auto at = time_of(options.at);
  if (at) return *at;
  return Error{Code::invalid, "cli.at", Detail("--at: expected a time like 2026-01-31T12:00:00Z")};
}

Outcome judge_recorded(const Options& options, Tools& tools) {
  const auto trust = trust_settings(options);
  if (!trust.ok()) return ConsoleReport::failed(trust.error());
  const auto recorded = read_recorded(options);
  if (!recorded.ok()) return ConsoleReport::failed(recorded.error());
  const auto now = time_to_judge(options, tools);
  if (!now.ok()) return ConsoleReport::failed(now.error());
  const Verdict verdict = judge_recorded_evidence(
      recorded.value(), trust.value().endorsements, trust.value().policy, now.value());
  if (options.json) {
    print_line(verdict_json(verdict));
  } else {
    print_text(printable(verdict_text(verdict)));
  }
  return verdict.accepted() ? Outcome::done : Outcome::not_verified;
}

}  // namespace cloister
