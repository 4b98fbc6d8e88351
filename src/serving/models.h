#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "access/grants.h"
#include "access/principals.h"
#include "access/quotas.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "engine/engine.h"
#include "graph/admission.h"
#include "model/model.h"
#include "model/validated_model.h"
#include "observe/events.h"
#include "residency/residency.h"
#include "secret/private_memory.h"
#include "serving/form_rebuilder.h"
#include "serving/model_options.h"
#include "serving/statistics.h"
#include "serving/stored_index.h"
#include "vault/vault.h"

namespace cloister {

struct ModelsSettings {
  std::uint64_t stored_bytes_per_owner_max = 64ULL << 30;
  std::size_t versions_per_owner_max = 10'000;
  std::chrono::seconds load_time_max{300};   ///< a load that a request waits for
  TrialSettings trial;                       ///< of an upload
};

/// A model's bytes as they were received, and the SHA-256 that the sender claims for them.
struct ReceivedModel {
  PrivateMemory memory;
  std::uint64_t size = 0;
  std::optional<ModelDigest> claimed_sha256;
};

/// What became of an upload: stored, there already, or refused with findings (never both).
struct UploadOutcome {
  std::optional<VersionRecord> stored;
  bool created = false;           ///< false where the same bytes were there already
  std::vector<Finding> findings;  ///< not empty: refused
};

/// The outputs of one run, and the lease of the model where they lie in its memory: elsewhere a
/// slow reader of the answer would keep the model from making room.
struct Inference {
  std::optional<Lease> lease;  ///< goes after `outputs`
  std::unique_ptr<RunOutputs> outputs;
};

/// The use cases around models: who may do what is decided here, whatever the transport.
/// What a caller may not know exists is `not_found`, with the same words. Safe from several
/// threads; every call may take long (upload, load) and belongs on a thread that may wait.
class Models {
 public:
  struct Parts {
    Vault& vault;
    Residency& residency;
    Engine& engine;
    const GraphAdmission& admission;
    const Clock& clock;
    EventSink& events;
    OptionsBook& options;
    Statistics& statistics;
    Grants& grants;
    const Quotas& quotas;
  };
  Models(Parts parts, ModelsSettings settings);

  /// The model that `name` means to `caller`: `m` is his own, `owner.m` one granted to him.
  /// Says nothing about existence. Fails: `not_found` where `name` can name no model.
  Result<ModelId> resolve(const Caller& caller, std::string_view name) const;
  /// How `caller` calls a model: by its name if it is his, else by owner and name.
  static std::string name_for(const Caller& caller, const ModelId& model);
  /// The named version, or the newest of those for which `caller` has `right`; where no right is
  /// named, any will do. Fails: `not_found`, also where he may not know of it.
  Result<VersionRecord> find(const Caller& caller, const ModelId& model,
                             std::optional<VersionNumber> version,
                             std::optional<Right> right) const;
  /// The same, of those versions only that the owner's policy serves.
  Result<VersionRecord> find_served(const Caller& caller, const ModelId& model,
                                    std::optional<VersionNumber> version,
                                    std::optional<Right> right) const;
  /// What `caller` may see, in order of reference.
  std::vector<VersionRecord> list(const Caller& caller) const;

  /// The numbers of a model's versions that `caller` may know of, rising.
  std::vector<VersionNumber> versions_of(const Caller& caller, const ModelId& model) const;
  /// Of all versions, those that the owner's policy serves.
  std::vector<VersionNumber> served_versions_of(const ModelId& model) const;
  /// Versions stored, of all owners together.
  std::size_t stored_versions() const { return stored_.size(); }

  /// How the owner wants a model served; `find` has said that the caller may know it.
  std::shared_ptr<const ModelOptions> options_of(const ModelId& model) const;
  /// Fails: `denied` unless `caller` owns it; `invalid` where the model's newest version cannot be
  /// batched and the options ask for it; `io`.
  Status set_options(const Caller& caller, const VersionRecord& newest,
                     const ModelOptions& options);
  /// What a version did since the start, for its owner alone. Fails: `not_found` for others.
  Result<VersionStatistics> statistics_of(const Caller& caller, const VersionRef& ref) const;

  /// Whether an upload of `size` bytes may begin: right, number and quota, before a byte is read.
  /// Fails: `denied`, `conflict` (erased number), `too_large`, `invalid`.
  Status may_upload(const Caller& caller, const VersionRef& ref, std::uint64_t size) const;
  /// Whether the number is stored or was erased: nothing else can ever be stored under it.
  bool was_used(const VersionRef& ref) const;
  /// Checks the digest, admits, seals, optimises, loads, runs where the settings say so, commits.
  /// `model`'s memory is given back as soon as it is sealed, before the optimising and the trial.
  /// Fails: `invalid` (digest), `conflict` (other bytes, or a number that was used), `io`, ...
  Result<UploadOutcome> upload(const Caller& caller, const VersionRef& ref, ReceivedModel model);

  /// Holds one request against `record`'s signature. Fails: `invalid`, with what is wrong.
  static Status check(const VersionRecord& record, const std::vector<NamedTensorView>& inputs,
                      const std::vector<std::string>& outputs);
  /// Runs `record`'s model, which `find` returned, on what `check` has passed. Why a run failed is
  /// told in the runtime's words to the model's owner alone: they name what is inside.
  Result<Inference> run(const VersionRecord& record, const std::vector<NamedTensorView>& inputs,
                        const std::vector<std::string>& outputs, RunControl& control);

  /// Puts a version in memory, or takes it out. Fails as Residency does; `not_found`.
  Status load(const Caller& caller, const VersionRecord& record);
  Status unload(const Caller& caller, const VersionRecord& record);
  /// Waits until `record`'s model is in memory, where it stays as long as the result does, or
  /// `control` ends the waiting. Fails as Residency::acquire does.
  Result<Lease> await(const VersionRecord& record, const RunControl& control);
  bool is_resident(const VersionRef& ref) const;
  /// Whether the version's workers died lately; then it is not loaded for a while.
  Standing standing(const VersionRef& ref) const { return parts_.engine.standing(ref); }
  /// Erases for good. Fails: `denied`, `not_found`, `io`.
  Result<Erasure> erase(const Caller& caller, const VersionRecord& record);

 private:
  /// Who waits for `record` by `control`, and whether it is kept afterwards.
  Waiter waiter(const VersionRecord& record, const RunControl& control) const;
  bool owns(const Caller& caller, const ModelId& model) const;
  bool may(const Caller& caller, const VersionRef& ref, std::optional<Right> right) const;
  TrialParts trial_parts() const;
  Result<Inference> run_resident(const VersionRecord& record,
                                 const std::vector<NamedTensorView>& inputs,
                                 const std::vector<std::string>& outputs, RunControl& control);
  Result<UploadOutcome> compare_with_stored(const VersionRecord& stored,
                                            const ModelDigest& sha256) const;

  /// Tells the log, which knows a version by a number that this process made up.
  void report(const VersionRef& ref, ModelChange change, std::uint64_t bytes, SteadyTime since);

  Parts parts_;
  ModelsSettings settings_;
  StoredIndex stored_;
  FormRebuilder rebuilder_;
  Mutex mutex_;
  std::map<VersionRef, std::uint64_t> aliases_ GUARDED_BY(mutex_);
};

}  // namespace cloister
