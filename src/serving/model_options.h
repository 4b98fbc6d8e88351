#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"
#include "vault/vault.h"

namespace cloister {

inline constexpr std::uint64_t kBatchMax = 1024;
inline constexpr std::uint64_t kQueueDelayMicrosecondsMax = 10'000'000;
inline constexpr std::size_t kPreferredSizesMax = 64;
inline constexpr std::size_t kPolicyVersionsMax = 1024;
inline constexpr std::size_t kOptionsTextMax = 64 * 1024;

/// Which of a model's versions are served. What is not served stays stored.
struct AllVersions {
  bool operator==(const AllVersions&) const = default;
};
struct LatestVersions {
  std::uint64_t count = 1;
  bool operator==(const LatestVersions&) const = default;
};
struct SpecificVersions {
  std::vector<VersionNumber> numbers;  ///< rising
  bool operator==(const SpecificVersions&) const = default;
};
using VersionPolicy = std::variant<AllVersions, LatestVersions, SpecificVersions>;

/// What a model's owner decides about how it is served.
struct ModelOptions {
  VersionPolicy policy;
  std::uint64_t batch_max = 0;  ///< 0: requests are never put together
  std::uint64_t queue_delay_microseconds_max = 0;
  std::vector<std::uint64_t> preferred_sizes;  ///< rising, each at most batch_max
  bool batch_across_principals = false;        ///< requests of several callers in one run
  bool name_in_metrics = false;                ///< the model's name may be in the server's metrics
  bool never_cached = false;  ///< in memory for as long as requests use it, and no longer
  bool operator==(const ModelOptions&) const = default;
};

/// Reads a model configuration as Triton's clients send it. What the model file itself says
/// (`input`, `output`, `platform`, ...) is passed over; what would change the service and is not
/// offered (sequences, ensembles, ...) is refused by name. Fails: `invalid`, `too_large`.
/// Source: docs/wire-api.md, "Model configuration".
Result<ModelOptions> parse_model_options(std::string_view json);

/// The members of a model configuration that say `options`, as one JSON object:
/// parse_model_options reads the same options back.
std::string model_options_json(const ModelOptions& options);

/// The versions of `stored` (rising) that `policy` serves.
std::vector<VersionNumber> served_versions(const VersionPolicy& policy,
                                           const std::vector<VersionNumber>& stored);

/// Whether every input and output of `signature` has an open outermost extent, along which
/// requests can be put together.
bool can_batch(const Signature& signature);

/// The options of every model that has any, kept in the sealed catalogue. Safe from several
/// threads; `vault` outlives it.
class OptionsBook {
 public:
  /// Fails: `corrupt` when the stored record cannot be read.
  static Result<std::unique_ptr<OptionsBook>> open(Vault& vault);

  /// The defaults where nothing was set. Never null.
  std::shared_ptr<const ModelOptions> of(const ModelId& model) const;
  /// Durable when it returns. Fails: `io`, `too_large` (what one owner's models, or all,
  /// may have).
  Status set(const ModelId& model, const ModelOptions& options);
  /// Back to the defaults. Fails: `io`.
  Status forget(const ModelId& model);

 private:
  using Entries = std::map<ModelId, std::shared_ptr<const ModelOptions>>;
  explicit OptionsBook(Vault& vault) : vault_(vault) {}
  Status replace(Entries changed) REQUIRES(changes_) EXCLUDES(mutex_);
  Entries current() const EXCLUDES(mutex_);

  Vault& vault_;
  const std::shared_ptr<const ModelOptions> defaults_ = std::make_shared<const ModelOptions>();
  Mutex changes_;  // one change at a time; taken before mutex_
  mutable Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
};

}  // namespace cloister
