#pragma once

#include <string>

#include "base/result.h"
#include "config/server_config.h"
#include "options.h"
#include "verifier/verifier.h"

namespace cloister {

/// What the evidence of a peer must say beside the upgrade policy: that it asks for a store's key.
inline constexpr const char* kStoreKeyPurpose = "store-key";
inline constexpr const char* kStoreKeyPath = "/v2/store-key";

/// The upgrade policy of `config`, and the endorsements in the options' folder.
struct UpgradeTrust {
  Policy policy;
  Endorsements endorsements;
};
/// Fails: `denied` without a policy; `invalid` where it is none of the verifier's; `io`.
Result<UpgradeTrust> upgrade_trust(const Options& options, const ServerConfig& config);
/// Why a peer was refused, for whoever runs the command.
Error peer_refused(const Verdict& verdict);

/// `cloisterd --hand-over`: serves no models. Listens where the configuration says, proves itself,
/// and gives the store's key to the first peer whose evidence is fresh, bound to the peer's own
/// connection and accepted by the store's upgrade policy; then ends. Fails: as a start would;
/// `unavailable` where a stop signal came first.
Status hand_over_store(const Options& options, const ServerConfig& config);

/// `cloisterd --take-over URL`: the other side. Accepts the old server by the same policy, proves
/// itself, and seals the store's key under this platform identity.
Status take_over_store(const Options& options, const ServerConfig& config);

}  // namespace cloister
