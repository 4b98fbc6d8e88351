#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cloister {

inline constexpr std::size_t kConfigBytesMax = 64 * 1024;
inline constexpr std::size_t kPreloadMax = 1024;
inline constexpr std::size_t kImportMax = 256;

/// The first owner: whoever holds the private key of this public key. `key_sha256` is the SHA-256
/// of its SubjectPublicKeyInfo (DER), which a TLS client certificate proves.
struct FirstOwner {
  std::string name;
  std::array<std::byte, 32> key_sha256{};
};

/// A version to load at start: `owner.model` and a number.
struct Preload {
  std::string owner;
  std::string model;
  std::uint64_t version = 0;
  bool pin = true;  ///< whether it never makes room for others
};

/// A model that a sealed file of the import folder may become: `owner.model`, its number, and the
/// SHA-256 of the model file before it was sealed.
struct ImportedModel {
  std::string owner;
  std::string model;
  std::uint64_t version = 0;
  std::array<std::byte, 32> sha256{};
};

/// Sealed models that are admitted at start, and the folder that they lie in.
struct Import {
  std::string folder;
  std::vector<ImportedModel> models;
};

/// Everything that an operator decides. Immutable once parsed; docs/operations.md has the table.
struct ServerConfig {
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 8443;
  std::vector<std::string> names = {"localhost", "127.0.0.1"};  ///< in the certificate's SAN
  std::string store;                                            ///< folder
  /// What vouches for this server. "auto" takes the enclave that is found and never a simulation.
  std::string platform = "auto";
  std::string seal_to = "mrenclave";   ///< sealed to this build, or to its "mrsigner"
  std::string root_secret = "platform";  ///< or "tpm": where the enclave has no sealing key
  std::string tpm_device = "/dev/tpmrm0";  ///< or "swtpm:path=FILE", "swtpm:host=HOST,port=N"
  std::set<std::uint32_t> tpm_pcrs{0, 1, 2, 3, 4, 5, 6, 7};  ///< what a TPM's secret is bound to
  std::optional<FirstOwner> owner;
  std::string isolation = "process";
  /// What must confine the workers, or the server does not start: words as in `/v2`.
  std::vector<std::string> sandbox_require;
  std::string worker_scope = "principal";  ///< who may follow whom in a worker; or model, request
  std::string anchor = "none";           ///< or "tpm"
  std::uint32_t tpm_nv_index = 0x01800c10;  ///< the first of two that the anchor takes
  /// Who may be handed the store's key: a policy of the verifier's, as canonical JSON; empty for
  /// nobody. A store keeps the one that it was made with.
  std::string upgrade_policy;
  std::string integrity = "tags";  ///< "tags" or "full"
  /// Whether what the runtime makes of a version is kept beside it and used, for quicker loads.
  bool optimised_forms = true;
  bool allow_swap = false;
  bool log_requests = false;  ///< one line for each request: route, status, sizes, time
  std::optional<Import> import;
  std::vector<Preload> preload;
  std::uint64_t sealed_key_seconds = 90ULL * 86'400;       ///< a key for sealed models is shown
  std::uint64_t sealed_key_kept_seconds = 90ULL * 86'400;  ///< it still opens files after that
  bool metrics = false;  ///< a listener for Prometheus, over plain HTTP
  std::string metrics_address = "127.0.0.1";
  std::uint16_t metrics_port = 8002;

  std::uint32_t run_threads = 2;       ///< execution slots; 1 to 64
  std::uint32_t io_threads = 1;        ///< 1 to 16
  std::uint32_t intra_op_threads = 1;  ///< of the runtime, per model; 1 to 64
  std::uint32_t inter_op_threads = 1;
  std::uint32_t queue_length_max = 256;
  std::uint32_t connections_max = 1024;

  std::uint64_t memory_budget_bytes = 8ULL << 30;  ///< loaded models
  std::uint64_t upload_bytes_max = 2ULL << 30;     ///< one model
  std::uint64_t request_bytes_max = 64ULL << 20;   ///< one infer body with open shapes
  std::uint64_t receiving_bytes_per_principal_max = 4ULL << 30;
  std::uint32_t requests_per_second_per_principal_max = 0;  ///< 0: no bound
  std::uint64_t stored_bytes_per_owner_max = 64ULL << 30;
  std::uint32_t versions_per_owner_max = 10'000;
  std::uint32_t request_seconds_max = 60;
  std::uint32_t upload_seconds_max = 3600;
};

/// Parses the text of a configuration file: strict JSON, unknown and duplicate keys refused, every
/// number bounded. Fails: `invalid`, `too_large`; the Detail names the key and what it may be.
Result<ServerConfig> parse_server_config(std::string_view text);

/// The configuration as one canonical JSON text, every field in it, in a fixed order: what the
/// evidence covers. Equal configurations have equal texts.
std::string canonical_text(const ServerConfig& config);

}  // namespace cloister
