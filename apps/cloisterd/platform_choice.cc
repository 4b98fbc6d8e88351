#include "platform_choice.h"

#include <string>
#include <utility>

#include "crypto/aead.h"
#include "evidence/device/gramine_platform.h"
#include "evidence/device/occlum_platform.h"
#include "evidence/device/quote_service.h"
#include "evidence/device/sev_guest.h"
#include "evidence/device/tdx_guest.h"
#include "evidence/device/tsm_platform.h"
#include "evidence/simulated/simulated_platform.h"
#include "evidence/tpm/azure_platform.h"
#include "evidence/tpm/tpm_platform.h"

namespace cloister {
namespace {

using Made = Result<std::unique_ptr<Platform>>;

constexpr std::string_view kBuildInfo = "cloister root secret of one build";
constexpr const char* kAzureMetadata = "169.254.169.254";

SealIdentity seal_identity(const ServerConfig& config) {
  return config.seal_to == "mrsigner" ? SealIdentity::mrsigner : SealIdentity::mrenclave;
}

TpmSettings tpm_settings(const ServerConfig& config) {
  return {config.tpm_device, config.tpm_pcrs};
}

Made make_enclave(const ServerConfig& config, std::string_view name) {
  if (name == "gramine") return make_gramine_platform({.seal = seal_identity(config)});
  if (name == "occlum") return make_occlum_platform({.seal = seal_identity(config)});
  if (name == "tsm") {
    return make_tsm_platform({.derive_key = [] { return derive_sev_key({}); }});
  }
  if (name == "sev-guest") return make_sev_guest_platform({});
  if (name == "tdx-guest") return make_tdx_guest_platform({});
  return make_azure_platform(
      {tpm_settings(config), azure_quote_service(tcp_exchange(kAzureMetadata, 80))});
}

Error unusable(std::string_view name, const Error& error) {
  return Error{error.code, error.where,
               Detail("\"platform\": \"" + std::string(name) + "\" does not answer here (" +
                      name_of(error.code) + ")")};
}

Made find_enclave(const ServerConfig& config) {
  for (const std::string_view name : {"gramine", "occlum", "tsm", "sev-guest", "tdx-guest"}) {
    Made made = make_enclave(config, name);
    if (made.ok()) return made;
    if (made.error().code != Code::not_found) return unusable(name, made.error());
  }
  Made azure = make_enclave(config, "azure");
  if (azure.ok()) return azure;
  return Error{Code::unavailable, "start.platform",
               Detail("no trusted execution environment was found here; \"platform\": \"tpm\" "
                      "shows a measured boot, \"simulated\" protects nothing")};
}

}  // namespace

Made choose_platform(const ServerConfig& config, Files& store_folder, Entropy& entropy,
                     const Sha256Digest& software) {
  const std::string& name = config.platform;
  if (name == "simulated") return make_simulated_platform(store_folder, entropy, software);
  if (name == "auto") return find_enclave(config);
  Made made = name == "tpm" ? make_tpm_platform(tpm_settings(config)) : make_enclave(config, name);
  if (!made.ok()) return unusable(name, made.error());
  return made;
}

Result<SecretBytes> choose_root_secret(const ServerConfig& config, Platform& platform,
                                       const Sha256Digest& software) {
  if (config.root_secret == "tpm") {
    CLOISTER_ASSIGN(const auto tpm, make_tpm_platform(tpm_settings(config)));
    return tpm->root_secret();
  }
  Result<SecretBytes> secret = platform.root_secret();
  if (!secret.ok() && secret.error().code == Code::unavailable) {
    return Error{Code::unavailable, "start.root_secret",
                 Detail("this platform has no sealing key: the store needs \"root_secret\": "
                        "\"tpm\" and a TPM inside the trusted boundary")};
  }
  if (secret.ok() && platform.kind() == EvidenceKind::simulated &&
      seal_identity(config) == SealIdentity::mrenclave) {
    return hkdf_sha256(secret.value(), software, bytes_of(kBuildInfo), kRootSecretBytes);
  }
  return secret;
}

}  // namespace cloister
