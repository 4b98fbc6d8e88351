#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "access/quotas.h"
#include "base/result.h"
#include "http/message.h"
#include "model/validated_model.h"
#include "vault/vault.h"

namespace cloister {

/// What `/v2` says of the server: all of it public.
struct ServerDescription {
  std::string version;
  std::string platform;   ///< "simulated", "sgx", ...
  std::string isolation;  ///< "process" or "inline"
  std::string sandbox;    ///< how workers are confined
  std::string anchor;
  bool simulated = true;
};

/// Turns errors into answers: the one reader of a Detail on the server. The text goes to the
/// requester and nowhere else.
class ErrorResponse {
 public:
  /// `{"error": ..., "code": ...}` with the status of the code; 429 and 503 say when to retry.
  static HttpResponse of(const Error& error);
  /// The same for answers that no Error stands behind.
  static HttpResponse plain(int status, std::string_view code, std::string_view text);
  /// 429 for a quota that is used up, with when to retry.
  static HttpResponse of_quota(const QuotaRefusal& refusal);
  /// 422 with every finding: `{"error", "code": "refused", "findings": [{rule, where, remedy}]}`.
  static HttpResponse of_findings(const std::vector<Finding>& findings);
};

/// Where a version is; `quarantined`: its workers kept dying, and it is not loaded for a while.
enum class VersionState { stored, loaded, quarantined };

HttpResponse json_response(int status, std::string json);
/// The same with status 200 for a text that lives as long as the program, without a copy.
HttpResponse constant_json(std::string_view json);

/// Bodies of answers; docs/wire-api.md shows each.
/// `sealed_to`: X25519 keys that models may be sealed to, in base64, the one that is shown first.
std::string server_json(const ServerDescription& server,
                        const std::vector<std::string>& sealed_to);
std::string version_json(std::string_view name, const VersionRecord& record, VersionState state);
/// `states`: of each record.
/// `names` as the asker calls them, one for each record.
std::string model_list_json(const std::vector<std::string>& names,
                            const std::vector<VersionRecord>& records,
                            const std::vector<VersionState>& states);
/// One version in the repository's index.
struct IndexEntry {
  std::string name;  ///< as the asker calls it
  VersionNumber version;
  VersionState state = VersionState::stored;
  bool served = true;  ///< by the owner's version policy
};
std::string repository_index_json(const std::vector<IndexEntry>& entries);
/// Model metadata as the Open Inference Protocol has it, ours under `parameters`.
std::string metadata_json(std::string_view name, const VersionRecord& record,
                          const std::vector<VersionNumber>& versions);

}  // namespace cloister
