#include "verifier/intel/collateral.h"

#include <algorithm>

#include "encoding/hex.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::size_t kDocumentBytesMax = 256 * 1024;
constexpr std::size_t kLevelsMax = 256;
constexpr std::size_t kModulesMax = 32;
constexpr std::size_t kAdvisoriesMax = 256;
constexpr std::uint64_t kTcbInfoVersion = 3;
constexpr std::uint64_t kQeIdentityVersion = 2;

Error malformed() { return Error{Code::corrupt, "collateral.malformed"}; }

Result<const JsonValue*> member_of(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return malformed();
  return value;
}

Result<std::string> text_at(const JsonValue& object, std::string_view key) {
  CLOISTER_ASSIGN(const JsonValue* value, member_of(object, key));
  const auto text = value->text();
  if (!text) return malformed();
  return std::string(*text);
}

Result<std::uint64_t> number_at(const JsonValue& object, std::string_view key) {
  CLOISTER_ASSIGN(const JsonValue* value, member_of(object, key));
  const auto number = value->unsigned_integer();
  if (!number) return malformed();
  return *number;
}

Result<ByteVector> hex_at(const JsonValue& object, std::string_view key, std::size_t size) {
  CLOISTER_ASSIGN(const std::string text, text_at(object, key));
  Result<ByteVector> bytes = hex_decode(text);
  if (!bytes.ok() || bytes.value().size() != size) return malformed();
  return bytes;
}

Result<UtcSeconds> time_at(const JsonValue& object, std::string_view key) {
  CLOISTER_ASSIGN(const std::string text, text_at(object, key));
  const auto time = time_of(text);
  if (!time) return malformed();
  return *time;
}

Result<std::vector<std::string>> advisories_at(const JsonValue& level) {
  std::vector<std::string> advisories;
  const JsonValue* list = level.find("advisoryIDs");
  if (list == nullptr) return advisories;
  if (!list->is_array() || list->items().size() > kAdvisoriesMax) return malformed();
  for (const JsonValue& item : list->items()) {
    const auto text = item.text();
    if (!text) return malformed();
    advisories.emplace_back(*text);
  }
  return advisories;
}

Result<TcbStatus> status_at(const JsonValue& level) {
  CLOISTER_ASSIGN(const std::string text, text_at(level, "tcbStatus"));
  const auto status = tcb_status_of(text);
  // The relaunch statuses come out of a rule and never out of a document.
  if (!status || *status == TcbStatus::not_supported ||
      *status == TcbStatus::td_relaunch_advised ||
      *status == TcbStatus::td_relaunch_advised_configuration_needed) {
    return malformed();
  }
  return *status;
}

Result<EnclaveLevel> read_enclave_level(const JsonValue& value) {
  EnclaveLevel level;
  CLOISTER_ASSIGN(const JsonValue* tcb, member_of(value, "tcb"));
  CLOISTER_ASSIGN(level.isvsvn, number_at(*tcb, "isvsvn"));
  CLOISTER_ASSIGN(level.status, status_at(value));
  CLOISTER_ASSIGN(level.date, text_at(value, "tcbDate"));
  CLOISTER_ASSIGN(level.advisories, advisories_at(value));
  return level;
}

Result<std::vector<EnclaveLevel>> read_enclave_levels(const JsonValue& object) {
  CLOISTER_ASSIGN(const JsonValue* list, member_of(object, "tcbLevels"));
  if (!list->is_array() || list->items().size() > kLevelsMax) return malformed();
  std::vector<EnclaveLevel> levels;
  for (const JsonValue& item : list->items()) {
    CLOISTER_ASSIGN(EnclaveLevel level, read_enclave_level(item));
    levels.push_back(std::move(level));
  }
  return levels;
}

Result<EnclaveIdentity> read_module(const JsonValue& object) {
  EnclaveIdentity module;
  CLOISTER_ASSIGN(module.mrsigner, hex_at(object, "mrsigner", 48));
  CLOISTER_ASSIGN(module.attributes, hex_at(object, "attributes", 8));
  CLOISTER_ASSIGN(module.attributes_mask, hex_at(object, "attributesMask", 8));
  return module;
}

Status read_components(const JsonValue& tcb, std::string_view key,
                       std::array<std::uint8_t, 16>& components) {
  CLOISTER_ASSIGN(const JsonValue* list, member_of(tcb, key));
  if (!list->is_array() || list->items().size() != components.size()) return malformed();
  for (std::size_t i = 0; i < components.size(); ++i) {
    CLOISTER_ASSIGN(const std::uint64_t svn, number_at(list->items()[i], "svn"));
    if (svn > 0xFF) return malformed();
    components[i] = static_cast<std::uint8_t>(svn);
  }
  return Done{};
}

Result<TcbLevel> read_tcb_level(const JsonValue& value, bool is_tdx) {
  TcbLevel level;
  CLOISTER_ASSIGN(const JsonValue* tcb, member_of(value, "tcb"));
  CLOISTER_TRY(read_components(*tcb, "sgxtcbcomponents", level.sgx));
  if (is_tdx) CLOISTER_TRY(read_components(*tcb, "tdxtcbcomponents", level.tdx));
  CLOISTER_ASSIGN(level.pcesvn, number_at(*tcb, "pcesvn"));
  CLOISTER_ASSIGN(level.status, status_at(value));
  CLOISTER_ASSIGN(level.date, text_at(value, "tcbDate"));
  CLOISTER_ASSIGN(level.advisories, advisories_at(value));
  return level;
}

Status read_modules(const JsonValue& body, TcbInfo& info) {
  CLOISTER_ASSIGN(const JsonValue* module, member_of(body, "tdxModule"));
  CLOISTER_ASSIGN(info.module, read_module(*module));
  const JsonValue* identities = body.find("tdxModuleIdentities");
  if (identities == nullptr) return Done{};
  if (!identities->is_array() || identities->items().size() > kModulesMax) return malformed();
  for (const JsonValue& item : identities->items()) {
    CLOISTER_ASSIGN(EnclaveIdentity identity, read_module(item));
    CLOISTER_ASSIGN(identity.id, text_at(item, "id"));
    CLOISTER_ASSIGN(identity.levels, read_enclave_levels(item));
    info.module_identities.push_back(std::move(identity));
  }
  return Done{};
}

}  // namespace

Result<std::unique_ptr<SignedDocument>> read_signed_document(std::string_view text,
                                                             std::string_view member) {
  auto document = std::make_unique<SignedDocument>();
  Result<JsonValue> root = parse_json(text, {kDocumentBytesMax, 16, 1U << 16});
  if (!root.ok()) return malformed();
  document->root = std::move(root).value();
  document->body = document->root.find(member);
  if (document->body == nullptr || !document->body->is_object()) return malformed();
  document->signed_bytes = bytes_of(document->body->raw());
  CLOISTER_ASSIGN(document->signature, hex_at(document->root, "signature", 64));
  return document;
}

Result<TcbInfo> read_tcb_info(const JsonValue& body) {
  TcbInfo info;
  CLOISTER_ASSIGN(info.id, text_at(body, "id"));
  CLOISTER_ASSIGN(const std::uint64_t version, number_at(body, "version"));
  CLOISTER_ASSIGN(const std::uint64_t type, number_at(body, "tcbType"));
  const bool is_tdx = info.id == "TDX";
  if (version != kTcbInfoVersion || type != 0 || (!is_tdx && info.id != "SGX")) {
    return malformed();
  }
  CLOISTER_ASSIGN(info.issued, time_at(body, "issueDate"));
  CLOISTER_ASSIGN(info.next_update, time_at(body, "nextUpdate"));
  CLOISTER_ASSIGN(info.evaluation_number, number_at(body, "tcbEvaluationDataNumber"));
  CLOISTER_ASSIGN(info.fmspc, hex_at(body, "fmspc", 6));
  CLOISTER_ASSIGN(info.pceid, hex_at(body, "pceId", 2));
  if (is_tdx) CLOISTER_TRY(read_modules(body, info));
  CLOISTER_ASSIGN(const JsonValue* levels, member_of(body, "tcbLevels"));
  if (!levels->is_array() || levels->items().size() > kLevelsMax) return malformed();
  for (const JsonValue& item : levels->items()) {
    CLOISTER_ASSIGN(TcbLevel level, read_tcb_level(item, is_tdx));
    info.levels.push_back(std::move(level));
  }
  return info;
}

Result<EnclaveIdentity> read_qe_identity(const JsonValue& body) {
  EnclaveIdentity identity;
  CLOISTER_ASSIGN(identity.id, text_at(body, "id"));
  CLOISTER_ASSIGN(identity.version, number_at(body, "version"));
  if (identity.version != kQeIdentityVersion) return malformed();
  CLOISTER_ASSIGN(identity.issued, time_at(body, "issueDate"));
  CLOISTER_ASSIGN(identity.next_update, time_at(body, "nextUpdate"));
  CLOISTER_ASSIGN(identity.evaluation_number, number_at(body, "tcbEvaluationDataNumber"));
  CLOISTER_ASSIGN(identity.miscselect, hex_at(body, "miscselect", 4));
  CLOISTER_ASSIGN(identity.miscselect_mask, hex_at(body, "miscselectMask", 4));
  // The text is a number, most significant digit first; the report holds it little-endian.
  std::ranges::reverse(identity.miscselect);
  std::ranges::reverse(identity.miscselect_mask);
  CLOISTER_ASSIGN(identity.attributes, hex_at(body, "attributes", 16));
  CLOISTER_ASSIGN(identity.attributes_mask, hex_at(body, "attributesMask", 16));
  CLOISTER_ASSIGN(identity.mrsigner, hex_at(body, "mrsigner", 32));
  CLOISTER_ASSIGN(identity.isvprodid, number_at(body, "isvprodid"));
  CLOISTER_ASSIGN(identity.levels, read_enclave_levels(body));
  return identity;
}

}  // namespace cloister
