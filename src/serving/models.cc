#include "serving/models.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crypto/sha256.h"

namespace cloister {
namespace {

Error unknown_model() {
  return Error{Code::not_found, "models.find", Detail("no such model or version")};
}

/// A failed run as others than the model's owner learn of it: the runtime's words name nodes and
/// quote values of the model.
Error without_inside(const Error& error) {
  if (error.code == Code::invalid) {
    return Error{error.code, error.where,
                 Detail("the model does not bear a value of these inputs, or a shape; its owner "
                        "can see more")};
  }
  if (error.code == Code::internal) {
    return Error{error.code, error.where,
                 Detail("the model failed to run; its owner can see more")};
  }
  return error;
}

}  // namespace

Models::Models(Parts parts, ModelsSettings settings)
    : parts_(parts), settings_(settings), stored_(parts.vault.versions()),
      rebuilder_({parts.vault, parts.residency, stored_}, trial_parts(), settings.trial) {}

TrialParts Models::trial_parts() const {
  return {parts_.engine, parts_.admission, parts_.clock, parts_.events};
}

Result<ModelId> Models::resolve(const Caller& caller, std::string_view name) const {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) {
    if (!is_name(name)) return unknown_model();
    return ModelId{caller.id(), std::string(name)};
  }
  const std::string_view owner = name.substr(0, dot);
  const std::string_view model = name.substr(dot + 1);
  if (!is_name(owner) || !is_name(model)) return unknown_model();
  return ModelId{PrincipalId{std::string(owner)}, std::string(model)};
}

Result<VersionRecord> Models::find(const Caller& caller, const ModelId& model,
                                   std::optional<VersionNumber> version,
                                   std::optional<Right> right) const {
  if (version.has_value()) {
    // Rights come first, so that a model that is not for him costs as long as none at all.
    if (!may(caller, VersionRef{model, *version}, right)) return unknown_model();
    auto record = parts_.vault.find(VersionRef{model, *version});
    if (!record.has_value()) return unknown_model();
    return std::move(*record);
  }
  // Number 0 is no version: what is allowed there is allowed for all.
  if (may(caller, VersionRef{model, VersionNumber{0}}, right)) {
    auto newest = parts_.vault.newest(model);
    if (!newest.has_value()) return unknown_model();
    return std::move(*newest);
  }
  std::optional<VersionRecord> newest;
  for (const Grant& grant : parts_.grants.to_principal(caller.id())) {
    if (grant.model != model || !grant.version || (right && !grant.rights.has(*right))) continue;
    auto record = parts_.vault.find(VersionRef{model, *grant.version});
    if (record && (!newest || newest->ref < record->ref)) newest = std::move(record);
  }
  if (!newest.has_value()) return unknown_model();
  return std::move(*newest);
}

std::string Models::name_for(const Caller& caller, const ModelId& model) {
  return model.owner == caller.id() ? model.name : model.owner.value + "." + model.name;
}

bool Models::owns(const Caller& caller, const ModelId& model) const {
  return model.owner == caller.id() && caller.role() == Role::owner;
}

bool Models::may(const Caller& caller, const VersionRef& ref, std::optional<Right> right) const {
  if (owns(caller, ref.model)) return true;
  const Rights rights = parts_.grants.rights_of(caller.id(), ref);
  return right ? rights.has(*right) : !rights.empty();
}

std::vector<VersionRecord> Models::list(const Caller& caller) const {
  auto records = parts_.vault.versions();
  std::erase_if(records, [&](const VersionRecord& each) {
    return !may(caller, each.ref, std::nullopt);
  });
  return records;
}

Result<VersionRecord> Models::find_served(const Caller& caller, const ModelId& model,
                                          std::optional<VersionNumber> version,
                                          std::optional<Right> right) const {
  // Who may not know the model learns nothing of its policy, nor how long it takes to read one.
  CLOISTER_ASSIGN(VersionRecord found, find(caller, model, version, right));
  const auto options = options_of(model);
  if (std::holds_alternative<AllVersions>(options->policy)) return found;
  const auto served = served_versions_of(model);
  if (!version && !served.empty()) version = served.back();
  if (!version || std::find(served.begin(), served.end(), *version) == served.end()) {
    return Error{Code::not_found, "models.policy",
                 Detail("this version is stored, but the version policy does not serve it")};
  }
  return find(caller, model, version, right);
}

std::vector<VersionNumber> Models::versions_of(const Caller& caller, const ModelId& model) const {
  auto versions = stored_.versions_of(model);
  std::erase_if(versions, [&](VersionNumber each) {
    return !may(caller, VersionRef{model, each}, std::nullopt);
  });
  return versions;
}

std::vector<VersionNumber> Models::served_versions_of(const ModelId& model) const {
  return served_versions(options_of(model)->policy, stored_.versions_of(model));
}

std::shared_ptr<const ModelOptions> Models::options_of(const ModelId& model) const {
  return parts_.options.of(model);
}

Status Models::set_options(const Caller& caller, const VersionRecord& newest,
                           const ModelOptions& options) {
  if (!owns(caller, newest.ref.model)) {
    return Error{Code::denied, "models.options", Detail("only its owner configures a model")};
  }
  if (options.batch_max > 0 && !can_batch(newest.signature)) {
    return Error{Code::invalid, "models.options",
                 Detail("config, \"max_batch_size\": this model cannot be batched: every input and "
                        "output needs an open outermost extent, and numbers as elements")};
  }
  if (options_of(newest.ref.model)->never_cached && !options.never_cached) {
    for (const VersionNumber version : stored_.versions_of(newest.ref.model)) {
      parts_.residency.keep({newest.ref.model, version}, Keep::cached);
    }
  }
  return parts_.options.set(newest.ref.model, options);
}

Waiter Models::waiter(const VersionRecord& record, const RunControl& control) const {
  Waiter waiter{control.caller(), &control};
  if (options_of(record.ref.model)->never_cached) waiter.keep = Keep::never;
  return waiter;
}

Result<VersionStatistics> Models::statistics_of(const Caller& caller,
                                                const VersionRef& ref) const {
  if (!owns(caller, ref.model)) return unknown_model();
  return parts_.statistics.of(ref);
}

Status Models::may_upload(const Caller& caller, const VersionRef& ref, std::uint64_t size) const {
  if (!owns(caller, ref.model)) {
    return Error{Code::denied, "models.upload", Detail("only an owner stores models, his own")};
  }
  if (ref.version.value < 1 || ref.version.value > kVersionNumberMax) {
    return Error{Code::invalid, "models.version", Detail("a version is 1 to 2147483648")};
  }
  if (parts_.vault.is_erased(ref)) {
    return Error{Code::conflict, "models.erased",
                 Detail("this version was erased; its number is never used again")};
  }
  const StoredIndex::Usage usage = stored_.usage_of(caller.id());
  const std::uint64_t stored = usage.stored_bytes;
  const std::size_t versions = usage.versions - (stored_.contains(ref) ? 1U : 0U);
  const QuotaTerms terms = parts_.quotas.of(caller.id());
  const std::uint64_t versions_max =
      std::min<std::uint64_t>(settings_.versions_per_owner_max, terms.versions.value_or(kQuotaMax));
  if (versions >= versions_max) {
    return Error{Code::too_large, "models.versions_quota",
                 Detail("the quota of " + std::to_string(versions_max) +
                        " versions is used up; delete some first")};
  }
  const std::uint64_t quota =
      std::min(settings_.stored_bytes_per_owner_max, terms.stored_bytes.value_or(kQuotaMax));
  if (stored > quota || size > quota - stored) {
    return Error{Code::too_large, "models.bytes_quota",
                 Detail("the quota of " + std::to_string(quota) + " stored bytes has " +
                        std::to_string(quota - std::min(stored, quota)) + " left; this model has " +
                        std::to_string(size))};
  }
  return Done{};
}

bool Models::was_used(const VersionRef& ref) const {
  return stored_.contains(ref) || parts_.vault.is_erased(ref);
}

Result<UploadOutcome> Models::compare_with_stored(const VersionRecord& stored,
                                                  const ModelDigest& sha256) const {
  if (stored.sha256 != sha256) {
    return Error{Code::conflict, "models.exists",
                 Detail("this version exists with other content; versions never change, so "
                        "upload under a new number")};
  }
  return UploadOutcome{stored, false, {}};
}

Result<UploadOutcome> Models::upload(const Caller& caller, const VersionRef& ref,
                                     ReceivedModel model) {
  CLOISTER_TRY(may_upload(caller, ref, model.size));
  const SteadyTime since = parts_.clock.steady();
  const Bytes bytes = std::as_const(model.memory).bytes().first(model.size);
  const ModelDigest digest = sha256(bytes);
  if (model.claimed_sha256.has_value() && *model.claimed_sha256 != digest) {
    return Error{Code::invalid, "models.digest",
                 Detail("the received bytes do not have the SHA-256 that Content-Digest says; "
                        "nothing was stored")};
  }
  if (const auto stored = parts_.vault.find(ref)) return compare_with_stored(*stored, digest);

  VersionRecord record;
  record.ref = ref;
  record.sha256 = digest;
  record.upload_bytes = model.size;
  record.uploaded_at = parts_.clock.utc();
  std::unique_ptr<StagedVersion> staged;
  {
    AdmissionVerdict verdict = parts_.admission.admit(bytes);
    if (auto* findings = std::get_if<std::vector<Finding>>(&verdict)) {
      report(ref, ModelChange::refused, model.size, since);
      return UploadOutcome{std::nullopt, false, std::move(*findings)};
    }
    const ValidatedModel& accepted = std::get<ValidatedModel>(verdict);
    record.signature = accepted.bundle().signature;
    record.cost = accepted.cost();
    CLOISTER_ASSIGN(staged, parts_.vault.stage(std::move(record), accepted));
  }
  // Sealed: the upload's memory goes back before the trial load needs as much again.
  model.memory = PrivateMemory();
  report(ref, ModelChange::sealed, model.size, since);

  CLOISTER_ASSIGN(const auto memory,
                  parts_.residency.set_aside(trial_bytes(staged->record().cost),
                                             parts_.clock.steady() + settings_.load_time_max));
  CLOISTER_TRY(add_optimised_form(trial_parts(), *staged));
  CLOISTER_ASSIGN(std::vector<Finding> findings,
                  try_out(trial_parts(), settings_.trial, *memory, *staged));
  if (!findings.empty()) {
    report(ref, ModelChange::refused, model.size, since);
    return UploadOutcome{std::nullopt, false, std::move(findings)};
  }
  const VersionRecord stored = staged->record();
  CLOISTER_TRY(parts_.vault.commit(std::move(staged)));
  stored_.add(stored);
  report(ref, ModelChange::stored, stored.stored_bytes, since);
  return UploadOutcome{stored, true, {}};
}

Status Models::check(const VersionRecord& record, const std::vector<NamedTensorView>& inputs,
                     const std::vector<std::string>& outputs) {
  CLOISTER_TRY(check_inputs(record.signature, inputs));
  if (std::set<std::string_view>(outputs.begin(), outputs.end()).size() != outputs.size()) {
    return Error{Code::invalid, "models.output", Detail("an output is asked for twice")};
  }
  for (const std::string& name : outputs) {
    const auto& known = record.signature.outputs;
    const bool found = std::any_of(known.begin(), known.end(),
                                   [&](const TensorSpec& each) { return each.name == name; });
    if (!found) {
      return Error{Code::invalid, "models.output",
                   Detail("output \"" + name + "\": the model has no output of this name")};
    }
  }
  return Done{};
}

Result<Inference> Models::run(const VersionRecord& record,
                              const std::vector<NamedTensorView>& inputs,
                              const std::vector<std::string>& outputs, RunControl& control) {
  auto ran = run_resident(record, inputs, outputs, control);
  if (ran.ok() || control.caller() == record.ref.model.owner.value) return ran;
  return without_inside(ran.error());
}

Result<Inference> Models::run_resident(const VersionRecord& record,
                                       const std::vector<NamedTensorView>& inputs,
                                       const std::vector<std::string>& outputs,
                                       RunControl& control) {
  const SteadyTime deadline =
      control.deadline().value_or(parts_.clock.steady() + settings_.load_time_max);
  CLOISTER_ASSIGN(Lease lease,
                  parts_.residency.acquire(record.ref, deadline, waiter(record, control)));
  if (!lease.optimised()) rebuilder_.want(record.ref);
  CLOISTER_ASSIGN(auto results, lease.model().run(inputs, outputs, control));
  Inference inference{std::nullopt, std::move(results)};
  if (!inference.outputs->outlive_model()) inference.lease = std::move(lease);
  return inference;
}

Status Models::load(const Caller& caller, const VersionRecord& record) {
  const auto lease = parts_.residency.acquire(
      record.ref, parts_.clock.steady() + settings_.load_time_max, {caller.id().value});
  if (lease.ok()) return Done{};
  return owns(caller, record.ref.model) ? lease.error() : without_inside(lease.error());
}

Status Models::unload(const Caller&, const VersionRecord& record) {
  const Status unloaded = parts_.residency.unload(record.ref);
  // Asking for what is so already is no error.
  if (!unloaded.ok() && unloaded.error().code == Code::not_found) return Done{};
  return unloaded;
}

Result<Lease> Models::await(const VersionRecord& record, const RunControl& control) {
  const SteadyTime deadline =
      control.deadline().value_or(parts_.clock.steady() + settings_.load_time_max);
  auto lease = parts_.residency.acquire(record.ref, deadline, waiter(record, control));
  if (lease.ok() || control.caller() == record.ref.model.owner.value) return lease;
  return without_inside(lease.error());
}

bool Models::is_resident(const VersionRef& ref) const {
  return parts_.residency.is_resident(ref);
}

Result<Erasure> Models::erase(const Caller& caller, const VersionRecord& record) {
  if (!owns(caller, record.ref.model)) {
    return Error{Code::denied, "models.erase", Detail("only its owner erases a model")};
  }
  const SteadyTime since = parts_.clock.steady();
  CLOISTER_ASSIGN(const Erasure erasure, parts_.vault.erase(record.ref));
  stored_.remove(record.ref);
  parts_.statistics.forget(record.ref);
  if (stored_.versions_of(record.ref.model).empty()) {
    CLOISTER_TRY(parts_.options.forget(record.ref.model));
    CLOISTER_TRY(parts_.grants.forget_model(record.ref.model));
  }
  report(record.ref, ModelChange::erased, record.stored_bytes, since);
  CLOISTER_TRY(unload(caller, record));
  return erasure;
}

void Models::report(const VersionRef& ref, ModelChange change, std::uint64_t bytes,
                    SteadyTime since) {
  std::uint64_t alias = 0;  // of what was never stored, which must not be remembered
  if (change != ModelChange::refused) {
    const MutexLock lock(mutex_);
    alias = aliases_.try_emplace(ref, aliases_.size() + 1).first->second;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(parts_.clock.steady() - since);
  parts_.events.record(ModelChanged{ModelAlias{alias}, change, bytes, took});
}

}  // namespace cloister
