#include "store_choice.h"

#include <algorithm>
#include "base/posix/posix_files.h"
#include "evidence/simulated/simulated_platform.h"
#include "hand_over.h"
#include "platform_choice.h"
#include "vault/tpm/tpm_anchor.h"

namespace cloister {
namespace {

bool may_create(const Options& options) {
  return !options.verify_store && (options.mode == Options::Mode::dev || options.create_store);
}

/// A store that is taken over may come as a copy from another machine, without a root secret.
bool may_make_secret(const Options& options) {
  return may_create(options) || !options.take_over.empty();
}

/// A simulation makes its root secret where there is none; these uses of a store must not.
Status require_simulated_root(Files& folder) {
  const auto file = folder.open_for_reading(kSimulatedRootFile);
  if (file.ok() || file.error().code != Code::not_found) return Done{};
  return Error{Code::not_found, "start.root_secret",
               Detail("the folder holds no root secret, and so no store of this platform")};
}

Result<std::unique_ptr<Anchor>> choose_anchor(const ServerConfig& config) {
  if (config.anchor == "tpm") {
    return make_tpm_anchor({config.tpm_device, config.tpm_nv_index, config.tpm_nv_index + 1});
  }
  return std::unique_ptr<Anchor>(std::make_unique<NoAnchor>());
}

std::uint64_t kept_bytes(const ServerConfig& config) {
  constexpr std::uint64_t kKeptMax = 1ULL << 30;
  return config.isolation == "process" ? std::min(config.memory_budget_bytes / 8, kKeptMax) : 0;
}

VaultSettings vault_settings(const ServerConfig& config, const Sha256Digest& software) {
  VaultSettings settings;
  settings.integrity = config.integrity == "full" ? IntegrityMode::full : IntegrityMode::tags;
  settings.build = software;
  if (!config.upgrade_policy.empty()) {
    settings.upgrade_policy = sha256(bytes_of(config.upgrade_policy));
  }
  return settings;
}

}  // namespace

Result<StorePlace> find_store(const Options& options, const ServerConfig& config,
                              const Sha256Digest& software, Entropy& entropy) {
  if (!config.upgrade_policy.empty()) CLOISTER_TRY(upgrade_trust(options, config));
  const bool create = may_create(options);
  StorePlace place;
  CLOISTER_ASSIGN(place.folder,
                  open_posix_files(config.store, create ? IfAbsent::create : IfAbsent::fail));
  // Where anything is, a store was: one that is gone is missed, not made anew.
  CLOISTER_ASSIGN(const auto entries, place.folder->list(""));
  place.first = create && entries.empty();
  if (config.platform == "simulated" && !may_make_secret(options)) {
    CLOISTER_TRY(require_simulated_root(*place.folder));
  }
  CLOISTER_ASSIGN(place.platform, choose_platform(config, *place.folder, entropy, software));
  CLOISTER_ASSIGN(place.root_secret, choose_root_secret(config, *place.platform, software));
  if (place.first) CLOISTER_TRY(place.folder->make_folder("vault"));
  CLOISTER_ASSIGN(place.files, open_posix_files(config.store + "/vault", IfAbsent::fail));
  CLOISTER_ASSIGN(place.anchor, choose_anchor(config));
  place.settings = vault_settings(config, software);
  if (config.isolation == "process") {
    place.weights = std::make_unique<ShareableMemoryPool>(kept_bytes(config));
    place.settings.shareable_weights = place.weights.get();
  }
  return place;
}

std::uint64_t models_bytes(const ServerConfig& config) {
  return config.memory_budget_bytes - kept_bytes(config);
}

VaultParts vault_parts(const StorePlace& place, Entropy& entropy, const Clock& clock) {
  return {*place.files, entropy, clock, *place.anchor};
}

}  // namespace cloister
