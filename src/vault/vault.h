#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/files.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/sha256.h"
#include "model/validated_model.h"
#include "model/weights_arrival.h"
#include "secret/private_memory.h"
#include "secret/secret_bytes.h"
#include "vault/anchor.h"
#include "vault/log/sealed_log.h"

namespace cloister {

/// How a model's content is checked when it is opened: docs/store-format.md, "Integrity".
enum class IntegrityMode { tags, full };

/// What `DELETE` can promise: with an anchor, an older catalogue is refused and the keys are gone.
enum class Erasure { not_anchored, bounded_by_anchor };

/// What the catalogue says of one version. Not secret from its owner; sealed from the host.
struct VersionRecord {
  VersionRef ref;
  ModelDigest sha256{};            ///< of the bytes that were uploaded
  std::uint64_t upload_bytes = 0;  ///< size of what was uploaded
  std::uint64_t stored_bytes = 0;  ///< size on disk; counts in the quota
  UtcSeconds uploaded_at{};
  Signature signature;
  ModelCost cost;
};

/// A version's model as an optimiser made it for one runtime and one processor. It can be made
/// anew at any time, from the version itself.
struct OptimisedForm {
  const ValidatedModel& model;  ///< from GraphAdmission::admit_optimised
  std::string fits;             ///< Engine::optimises_for; 1 to kFitsMax bytes
};
inline constexpr std::size_t kFitsMax = 256;

/// Threads that read and verify the weights of an opened version. Ends them when destroyed.
class WeightsFilling {
 public:
  virtual ~WeightsFilling() = default;
  /// How far they have come. Fails in the end as `Vault::open_version` would have.
  virtual WeightsArrival& arrival() noexcept = 0;
};

/// A version opened for running: verified in full before this is returned, but for weights that
/// still arrive.
struct OpenedModel {
  GraphBundle bundle;
  PrivateMemory weights;
  bool optimised = false;     ///< whether it is the form that an optimiser made
  bool worth_packing = true;  ///< whether runs were faster with weights in the runtime's own layout
  std::unique_ptr<WeightsFilling> filling;  ///< null where all weights are there; goes first
};

/// What is to be opened of a version, and how.
struct Opening {
  std::string fits;    ///< the optimised form for it, where there is one: Engine::optimises_for
  bool early = false;  ///< return while weights still arrive
};

struct VaultSettings {
  unsigned threads = 2;  ///< for sealing and opening; 1 to 64
  IntegrityMode integrity = IntegrityMode::tags;
  AeadChoice aead = AeadChoice::fastest;
  /// Where opened weights lie, in files that a worker process can be given without a copy; null for
  /// memory that only this process has. It must outlive the vault and what was opened.
  ShareableMemoryPool* shareable_weights = nullptr;
  Sha256Digest build{};           ///< of the program that seals: bound into every new segment's key
  /// Of the upgrade policy, zeros for none. A store keeps the one that it was made with, and opens
  /// under no other (`invalid`).
  Sha256Digest upgrade_policy{};
};

/// A version that is sealed on disk, durable, and not yet in the catalogue. Destroying it without
/// `Vault::commit` removes its file and forgets its keys.
class StagedVersion {
 public:
  virtual ~StagedVersion() = default;
  virtual const VersionRecord& record() const noexcept = 0;
  /// Reads it back as `Vault::open_version` does, for the trial load before the commit.
  virtual Result<OpenedModel> open(const Opening& opening = {}) const = 0;
  /// Seals `form` into a file of its own; what it takes counts in the record's `stored_bytes`.
  /// At most once. Fails: `io`, `too_large`.
  virtual Status add(const OptimisedForm& form) = 0;
  /// What trial runs of the added form showed; it is committed with it.
  virtual void set_worth_packing(bool worth) = 0;
};

/// The encrypted store: one sealed file per version and one sealed catalogue, which also keeps a
/// few small named records of others (principals, tokens' hashes, grants). Safe from several
/// threads; changes are serialised inside. Source: docs/store-format.md.
class Vault {
 public:
  virtual ~Vault() = default;

  /// Seals `model`'s graph and weights into a new file. `record.ref` must be free.
  /// Fails: `conflict` (number in use, or used before), `io`, `too_large` (also where the names in
  /// its signature would crowd the catalogue, which all owners share).
  virtual Result<std::unique_ptr<StagedVersion>> stage(VersionRecord record,
                                                       const ValidatedModel& model) = 0;
  /// Lists it in the catalogue, durably: on success it survives any crash. Fails: `conflict`, `io`.
  virtual Status commit(std::unique_ptr<StagedVersion> staged) = 0;

  /// Versions in order of reference. Cheap: from memory.
  virtual std::vector<VersionRecord> versions() const = 0;
  virtual std::optional<VersionRecord> find(const VersionRef& ref) const = 0;
  /// The highest version of a model. Cheap: no walk over other models.
  virtual std::optional<VersionRecord> newest(const ModelId& model) const = 0;
  /// Whether the number was erased before and so can never be used again.
  virtual bool is_erased(const VersionRef& ref) const = 0;
  /// The optimised form where there is one that fits and its file is whole, else the canonical.
  /// Fails: `not_found`; `corrupt` (the Detail names the version); `io`.
  virtual Result<OpenedModel> open_version(const VersionRef& ref,
                                           const Opening& opening = {}) const = 0;
  /// A committed version once more, to give it another optimised form: `commit` replaces the old
  /// one, and fails with `not_found` where the version was erased meanwhile. Fails: `not_found`.
  virtual Result<std::unique_ptr<StagedVersion>> restage(const VersionRef& ref) = 0;
  /// Destroys the keys, then the file; the number stays used up. Fails: `not_found`, `io`.
  virtual Result<Erasure> erase(const VersionRef& ref) = 0;

  /// Gives `use` a small sealed record of another part (access keeps its principals here), empty
  /// where there is none, and returns what it returns. The view ends with the call, so that no copy
  /// is left that nobody wipes.
  using RecordUse = std::function<Status(Bytes content)>;
  virtual Status with_record(const std::string& name, const RecordUse& use) const = 0;
  /// At most 4 MiB. Fails: `too_large`, `io`.
  virtual Status put_record(const std::string& name, Bytes content) = 0;

  /// A log beside the catalogue, for one user at a time. What `anchor_log` said last must be in it.
  /// Fails: as SealedLog::open; `invalid` for a name that is none.
  virtual Result<std::unique_ptr<SealedLog>> open_log(const std::string& name) = 0;
  /// Puts how far a log has come into the catalogue, so that it can no longer be shortened below.
  virtual Status anchor_log(const std::string& name, const LogPosition& position) = 0;

  /// Rises with every catalogue change; held against the anchor.
  virtual std::uint64_t epoch() const noexcept = 0;
  virtual AnchorKind anchor() const noexcept = 0;
};

/// Opens the store below `files`, or makes one if the folder is empty and `create` says so. A
/// folder with anything in it is never initialised. `root_secret`: 32 bytes from the platform.
/// Fails: `corrupt` (damaged, foreign, rolled back, catalogue or key missing), `conflict` (another
/// server has it open), `not_found` (empty and not `create`), `io`.
struct VaultParts {
  Files& files;
  Entropy& entropy;
  const Clock& clock;
  Anchor& anchor;
};
Result<std::unique_ptr<Vault>> open_vault(VaultParts parts, const SecretBytes& root_secret,
                                          const VaultSettings& settings, bool create);

/// What a walk through the whole store found.
struct StoreReport {
  struct Damage {
    VersionRef ref;
    std::string file;   ///< its path in the store, which tells the host nothing
    bool form = false;  ///< whether it is the version's optimised form, which can be made anew
    Code code;          ///< `corrupt`, or `io` where the host's disk failed
  };
  std::uint64_t epoch = 0;
  std::size_t versions = 0;
  std::size_t whole = 0;  ///< of these, those whose own file is
  std::vector<Damage> damaged;
  /// Paths in the store that no part of it wrote or still needs. They are never read.
  std::vector<std::string> unknown_files;
};

/// Opens the store as a server does, and verifies every byte of every version, the hash trees of
/// the plaintexts included. Changes nothing beyond what every start sweeps. Fails: as `open_vault`.
Result<StoreReport> verify_store(VaultParts parts, const SecretBytes& root_secret,
                                 const VaultSettings& settings);

}  // namespace cloister
