#include "evidence/simulated/simulated_platform.h"

#include <algorithm>
#include <utility>

#include "crypto/signature.h"
#include "evidence/envelope.h"

namespace cloister {
namespace {

/// Stands before the root secret in its file, so that nobody who finds it takes it for a real one.
constexpr std::string_view kFileMark =
    "INSECURE SIMULATION: this file holds the key of the store beside it.\n";

Result<ByteVector> read_root(Files& folder) {
  CLOISTER_ASSIGN(const auto file, folder.open_for_reading(kSimulatedRootFile));
  CLOISTER_ASSIGN(const std::uint64_t size, file->size());
  if (size != kFileMark.size() + kRootSecretBytes) {
    return Error{Code::corrupt, "simulated.root_file"};
  }
  ByteVector content(size);
  CLOISTER_TRY(file->read_at(0, content));
  const Bytes mark = Bytes(content).first(kFileMark.size());
  if (text_of(mark) != kFileMark) return Error{Code::corrupt, "simulated.root_file"};
  ByteVector root = copy_of(Bytes(content).subspan(kFileMark.size()));
  wipe(content);
  return root;
}

Result<ByteVector> make_root(Files& folder, Entropy& entropy) {
  ByteVector root(kRootSecretBytes);
  CLOISTER_TRY(entropy.fill(root));
  const std::string temporary = std::string(kSimulatedRootFile) + ".new";
  const Status swept = folder.remove(temporary);
  if (!swept.ok() && swept.error().code != Code::not_found) return swept.error();
  CLOISTER_ASSIGN(const auto file, folder.create(temporary));
  CLOISTER_TRY(file->write_at(0, bytes_of(kFileMark)));
  CLOISTER_TRY(file->write_at(kFileMark.size(), root));
  CLOISTER_TRY(file->sync());
  CLOISTER_TRY(folder.rename(temporary, kSimulatedRootFile));
  CLOISTER_TRY(folder.sync_folder(""));
  return root;
}

class SimulatedPlatform final : public Platform {
 public:
  SimulatedPlatform(ByteVector root, SigningKey key, const Sha256Digest& measurement)
      : root_(std::move(root)), key_(std::move(key)), measurement_(measurement) {}
  ~SimulatedPlatform() override { wipe(root_); }

  EvidenceKind kind() const noexcept override { return EvidenceKind::simulated; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    SimulatedEvidence evidence;
    evidence.report_data = report_data;
    evidence.measurement = copy_of(measurement_);
    evidence.spki = key_.spki();
    CLOISTER_ASSIGN(evidence.signature, key_.sign(simulated_message(evidence)));
    return PlatformEvidence{write_simulated(evidence), {}};
  }

  Result<SecretBytes> root_secret() override { return SecretBytes(copy_of(root_)); }

 private:
  ByteVector root_;
  const SigningKey key_;  // made at start: simulated evidence is rooted in nothing
  const Sha256Digest measurement_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_simulated_platform(Files& store_folder, Entropy& entropy,
                                                          const Sha256Digest& measurement) {
  Result<ByteVector> root = read_root(store_folder);
  if (!root.ok() && root.error().code == Code::not_found) root = make_root(store_folder, entropy);
  if (!root.ok()) return root.error();
  CLOISTER_ASSIGN(SigningKey key, SigningKey::generate_p256());
  return std::unique_ptr<Platform>(std::make_unique<SimulatedPlatform>(
      std::move(root).value(), std::move(key), measurement));
}

}  // namespace cloister
