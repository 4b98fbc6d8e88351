#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "client/connection.h"
#include "verifier/verdict.h"

namespace cloister {

/// Where the vendors publish what they say about their platforms, or a cache that serves the same
/// paths. The only place in the sources that names these hosts; docs/attestation.md, "Collateral".
struct CollateralServices {
  ServerUrl intel{"api.trustedservices.intel.com", 443};
  /// Serves the list of Intel's root; nothing: `intel` does, as caches do.
  std::optional<ServerUrl> intel_root{{"certificates.trustedservices.intel.com", 443}};
  ServerUrl amd{"kdsintf.amd.com", 443};
  /// "milan", "genoa" or "turin", for SNP reports of version 2, which do not say; may be empty.
  std::string amd_product;
};

/// Name of each file, as endorsements_of reads them, and its content.
using CollateralFiles = std::map<std::string, ByteVector>;

/// Asks a service for one target. Fails: as the connection does.
using AskService =
    std::function<Result<ClientResponse>(const ServerUrl& service, const std::string& target)>;

/// No document of a service is longer.
inline constexpr std::uint64_t kCollateralDocumentMax = 2ULL << 20;
inline constexpr std::size_t kCollateralBundleMax = 16U << 20;

/// Fetches what evidence needs to be judged: `about` is the verdict on it without collateral, whose
/// measurements name the platform. Nothing that comes is believed here; the verifier does that.
/// Fails: `unsupported` for evidence that needs none or does not say its platform; `unavailable`
/// where a service answers with anything but the document; as `ask` does.
/// Source: Intel PCS API, version 4; AMD KDS interface specification (57230).
Result<CollateralFiles> fetch_collateral(const Verdict& about, const CollateralServices& services,
                                         const AskService& ask);

/// Collateral in one file: {"fetched": time, "expires": time or null, "files": {name: base64}}.
std::string write_collateral_bundle(const CollateralFiles& files, UtcSeconds fetched,
                                    std::optional<UtcSeconds> expires);
/// The files of a bundle; its times are for people, the verifier reads those of the documents.
/// Fails: `invalid`, `too_large`.
Result<CollateralFiles> read_collateral_bundle(std::string_view text);

}  // namespace cloister
