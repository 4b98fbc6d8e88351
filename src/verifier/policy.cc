#include "verifier/policy.h"

#include <functional>

#include "encoding/hex.h"
#include "encoding/json.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::size_t kAlternativesMax = 256;
constexpr unsigned kPcrCount = 24;
constexpr std::uint64_t kVerdictSecondsMax = 10ULL * 365 * 86400;

Error wrong(const std::string& key, const std::string& expected) {
  return Error{Code::invalid, "policy.key",
               Detail("policy: \"" + key + "\": expected " + expected)};
}

bool is_comment(const JsonMember& member) {
  return member.key.starts_with("//") && member.value.is_text();
}

/// Calls `read` for each member that is no comment; it says whether it knew the key.
Status for_each_key(const JsonValue& object, const std::string& name,
                    const std::function<Result<bool>(const std::string&, const JsonValue&)>& read) {
  if (!object.is_object()) return wrong(name, "an object");
  for (const JsonMember& member : object.members()) {
    if (is_comment(member)) continue;
    CLOISTER_ASSIGN(const bool known, read(member.key, member.value));
    if (!known) return wrong(member.key, "no such key");
  }
  return Done{};
}

Result<bool> read_flag(const std::string& key, const JsonValue& value) {
  const auto flag = value.boolean();
  if (!flag) return wrong(key, "true or false");
  return *flag;
}

Result<std::uint64_t> read_number(const std::string& key, const JsonValue& value,
                                  std::uint64_t maximum) {
  const auto number = value.unsigned_integer();
  if (!number || *number > maximum) {
    return wrong(key, "a whole number up to " + std::to_string(maximum));
  }
  return *number;
}

Result<std::vector<std::string>> read_texts(const std::string& key, const JsonValue& value) {
  if (!value.is_array() || value.items().size() > kAlternativesMax) {
    return wrong(key, "a list of texts");
  }
  std::vector<std::string> texts;
  for (const JsonValue& item : value.items()) {
    const auto text = item.text();
    if (!text) return wrong(key, "a list of texts");
    texts.emplace_back(*text);
  }
  return texts;
}

/// Hexadecimal values of one of the two lengths.
Result<std::vector<ByteVector>> read_values(const std::string& key, const JsonValue& value,
                                            std::size_t size, std::size_t other_size = 0) {
  CLOISTER_ASSIGN(const std::vector<std::string> texts, read_texts(key, value));
  std::vector<ByteVector> values;
  for (const std::string& text : texts) {
    Result<ByteVector> bytes = hex_decode(text);
    if (!bytes.ok() || (bytes.value().size() != size && bytes.value().size() != other_size)) {
      return wrong(key, "a list of values of " + std::to_string(size) + " bytes in hexadecimal");
    }
    values.push_back(std::move(bytes).value());
  }
  return values;
}

Result<UtcSeconds> read_time(const std::string& key, const JsonValue& value) {
  const auto time = time_of(value.text().value_or(std::string_view()));
  if (!time) return wrong(key, "a time like \"2026-12-31T00:00:00Z\", or null");
  return *time;
}

Result<SgxSigner> read_signer(const JsonValue& value) {
  SgxSigner signer;
  bool has_product = false;
  bool has_version = false;
  CLOISTER_TRY(for_each_key(
      value, "signers", [&](const std::string& key, const JsonValue& item) -> Result<bool> {
        if (key == "mrsigner") {
          const Result<ByteVector> bytes = hex_decode(item.text().value_or(std::string_view()));
          if (!bytes.ok() || bytes.value().size() != 32) return wrong(key, "32 bytes in hex");
          signer.mrsigner = bytes.value();
        } else if (key == "product") {
          CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, item, 0xFFFF));
          signer.product = static_cast<std::uint16_t>(number);
          has_product = true;
        } else if (key == "minimum_version") {
          CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, item, 0xFFFF));
          signer.minimum_version = static_cast<std::uint16_t>(number);
          has_version = true;
        } else {
          return false;
        }
        return true;
      }));
  // A signer alone would accept everything it ever signed.
  if (signer.mrsigner.empty() || !has_product || !has_version) {
    return wrong("signers", "mrsigner, product and minimum_version");
  }
  return signer;
}

Status read_sgx(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "sgx", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (key == "mrenclave") {
          CLOISTER_ASSIGN(policy.mrenclave, read_values(key, value, 32));
        } else if (key == "signers") {
          if (!value.is_array() || value.items().size() > kAlternativesMax) {
            return wrong(key, "a list of objects");
          }
          for (const JsonValue& item : value.items()) {
            CLOISTER_ASSIGN(SgxSigner signer, read_signer(item));
            policy.sgx_signers.push_back(std::move(signer));
          }
        } else {
          return false;
        }
        return true;
      });
}

Status read_tdx(const JsonValue& object, Policy& policy) {
  static const std::set<std::string> kNames{"mrtd",  "rtmr0",      "rtmr1",   "rtmr2",
                                            "rtmr3", "mrconfigid", "mrowner", "mrownerconfig",
                                            "mrseam", "mrservicetd"};
  return for_each_key(
      object, "tdx", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (kNames.contains(key)) {
          CLOISTER_ASSIGN(policy.tdx[key], read_values(key, value, 48));
        } else if (key == "require_sept_ve_disable") {
          CLOISTER_ASSIGN(policy.require_sept_ve_disable, read_flag(key, value));
        } else if (key == "allow_migratable") {
          CLOISTER_ASSIGN(policy.allow_migratable, read_flag(key, value));
        } else {
          return false;
        }
        return true;
      });
}

Result<SnpTcb> read_snp_tcb(const std::string& product, const JsonValue& object) {
  SnpTcb tcb;
  const std::map<std::string, std::uint8_t*> fields{{"fmc", &tcb.fmc},
                                                    {"boot_loader", &tcb.boot_loader},
                                                    {"tee", &tcb.tee},
                                                    {"snp", &tcb.snp},
                                                    {"microcode", &tcb.microcode}};
  CLOISTER_TRY(for_each_key(
      object, product, [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        const auto field = fields.find(key);
        if (field == fields.end()) return false;
        CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, value, 255));
        *field->second = static_cast<std::uint8_t>(number);
        return true;
      }));
  return tcb;
}

Status read_minimum_tcb(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "minimum_tcb", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (key != "milan" && key != "genoa" && key != "turin") return false;
        CLOISTER_ASSIGN(policy.snp_minimum_tcb[key], read_snp_tcb(key, value));
        return true;
      });
}

Status read_snp(const JsonValue& object, Policy& policy) {
  static const std::map<std::string, std::size_t> kSizes{
      {"measurement", 48},       {"host_data", 32}, {"id_key_digest", 48},
      {"author_key_digest", 48}, {"report_id", 32}, {"chip_id", 64},
      {"family_id", 16},         {"image_id", 16}};
  return for_each_key(
      object, "snp", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (const auto size = kSizes.find(key); size != kSizes.end()) {
          CLOISTER_ASSIGN(policy.snp[key], read_values(key, value, size->second));
        } else if (key == "minimum_tcb") {
          CLOISTER_TRY(read_minimum_tcb(value, policy));
        } else if (key == "vmpl_max") {
          CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, value, 3));
          policy.vmpl_max = static_cast<std::uint32_t>(number);
        } else if (key == "allow_vlek") {
          CLOISTER_ASSIGN(policy.allow_vlek, read_flag(key, value));
        } else if (key == "allow_migration_agent") {
          CLOISTER_ASSIGN(policy.allow_migration_agent, read_flag(key, value));
        } else {
          return false;
        }
        return true;
      });
}

Status read_pcrs(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "pcrs", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        unsigned number = 0;
        for (const char c : key) {
          if (c < '0' || c > '9' || key.size() > 2) return false;
          number = number * 10 + static_cast<unsigned>(c - '0');
        }
        if (key.empty() || number >= kPcrCount) return false;
        CLOISTER_ASSIGN(policy.pcrs[number], read_values(key, value, 32));
        return true;
      });
}

Status read_selection(const JsonValue& value, Policy& policy) {
  if (!value.is_array() || value.items().size() > kPcrCount) {
    return wrong("pcr_selection", "a list of PCR numbers");
  }
  policy.pcr_selection.clear();
  for (const JsonValue& item : value.items()) {
    CLOISTER_ASSIGN(const std::uint64_t number,
                    read_number("pcr_selection", item, kPcrCount - 1));
    policy.pcr_selection.insert(static_cast<unsigned>(number));
  }
  return Done{};
}

Status read_tpm(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "tpm", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (key == "pcrs") {
          CLOISTER_TRY(read_pcrs(value, policy));
        } else if (key == "pcr_selection") {
          CLOISTER_TRY(read_selection(value, policy));
        } else if (key == "ak_names") {
          CLOISTER_ASSIGN(policy.ak_names, read_values(key, value, 34, 32));
        } else if (key == "allow_alone") {
          CLOISTER_ASSIGN(policy.allow_tpm_alone, read_flag(key, value));
        } else {
          return false;
        }
        return true;
      });
}

Status read_statuses(const JsonValue& object, Policy& policy) {
  policy.tcb_statuses.clear();
  return for_each_key(
      object, "statuses", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        const auto status = tcb_status_of(key);
        if (!status) return false;
        if (*status == TcbStatus::revoked || *status == TcbStatus::not_supported) {
          return wrong(key, "a status that can be accepted");
        }
        policy.tcb_statuses[*status] = std::nullopt;
        if (value.is_null()) return true;
        CLOISTER_ASSIGN(policy.tcb_statuses[*status], read_time(key, value));
        return true;
      });
}

Status read_platform(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "intel", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        if (key == "statuses") {
          CLOISTER_TRY(read_statuses(value, policy));
        } else if (key == "advisories") {
          if (value.is_null()) return true;
          CLOISTER_ASSIGN(const std::vector<std::string> texts, read_texts(key, value));
          policy.advisories.emplace(texts.begin(), texts.end());
        } else if (key == "minimum_evaluation_number") {
          CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, value, 0xFFFFFFFF));
          policy.evaluation_number_min = static_cast<std::uint32_t>(number);
        } else if (key == "collateral_age_days") {
          if (value.is_null()) return true;
          CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, value, 3650));
          policy.collateral_age_max = std::chrono::days(number);
        } else {
          return false;
        }
        return true;
      });
}

Status read_kinds(const JsonValue& value, Policy& policy) {
  CLOISTER_ASSIGN(const std::vector<std::string> names, read_texts("kinds", value));
  policy.kinds.clear();
  for (const std::string& name : names) {
    const auto kind = evidence_kind_of(name);
    if (!kind || *kind == EvidenceKind::simulated) {
      return wrong("kinds", "sgx, tdx, snp, tpm, azure-snp or azure-tdx");
    }
    policy.kinds.insert(*kind);
  }
  return Done{};
}

/// Accepted values of members of the configuration, each as it is written.
Status read_settings(const JsonValue& object, Policy& policy) {
  return for_each_key(
      object, "settings", [&](const std::string& key, const JsonValue& value) -> Result<bool> {
        const bool is_list = value.is_array() && !value.items().empty();
        if (!is_list || value.items().size() > kAlternativesMax) {
          return wrong(key, "a list of values");
        }
        for (const JsonValue& item : value.items()) {
          policy.settings[key].emplace_back(item.raw());
        }
        return true;
      });
}

Result<bool> read_claim_rule(const std::string& key, const JsonValue& value, Policy& policy) {
  if (key == "configuration") {
    CLOISTER_ASSIGN(policy.configuration, read_values(key, value, 32));
  } else if (key == "verdict_seconds") {
    if (value.is_null()) return true;
    CLOISTER_ASSIGN(const std::uint64_t number, read_number(key, value, kVerdictSecondsMax));
    if (number == 0) return wrong(key, "a number of seconds, or null");
    policy.verdict_age_max = std::chrono::seconds(number);
  } else if (key == "software") {
    CLOISTER_ASSIGN(policy.software, read_values(key, value, 32));
  } else if (key == "isolation") {
    CLOISTER_ASSIGN(policy.isolation, read_texts(key, value));
  } else if (key == "sandbox") {
    CLOISTER_ASSIGN(policy.sandbox, read_texts(key, value));
  } else if (key == "anchor") {
    CLOISTER_ASSIGN(policy.anchor, read_texts(key, value));
  } else if (key == "settings") {
    CLOISTER_TRY(read_settings(value, policy));
  } else {
    return false;
  }
  return true;
}

Result<bool> read_member(const std::string& key, const JsonValue& value, Policy& policy) {
  if (key == "kinds") {
    CLOISTER_TRY(read_kinds(value, policy));
  } else if (key == "allow_simulation") {
    CLOISTER_ASSIGN(policy.allow_simulation, read_flag(key, value));
  } else if (key == "allow_debug") {
    CLOISTER_ASSIGN(policy.allow_debug, read_flag(key, value));
  } else if (key == "allow_legacy_gramine") {
    CLOISTER_ASSIGN(policy.allow_legacy_gramine, read_flag(key, value));
  } else if (key == "simulated") {
    CLOISTER_ASSIGN(policy.simulated, read_values(key, value, 32));
  } else if (key == "sgx") {
    CLOISTER_TRY(read_sgx(value, policy));
  } else if (key == "tdx") {
    CLOISTER_TRY(read_tdx(value, policy));
  } else if (key == "snp") {
    CLOISTER_TRY(read_snp(value, policy));
  } else if (key == "tpm") {
    CLOISTER_TRY(read_tpm(value, policy));
  } else if (key == "intel") {
    CLOISTER_TRY(read_platform(value, policy));
  } else {
    return read_claim_rule(key, value, policy);
  }
  return true;
}

constexpr const char* kTemplate = R"({
  "//": "What this client accepts. Values are in hexadecimal; lists name alternatives.",
  "//kinds": "Hardware that may vouch for a server.",
  "kinds": ["sgx", "tdx", "snp", "azure-snp", "azure-tdx", "tpm"],
  "//allow_simulation": "A simulated server protects nothing from the machine's owner.",
  "allow_simulation": false,
  "//allow_debug": "The host can read an enclave or machine in debug mode.",
  "allow_debug": false,
  "//allow_legacy_gramine": "Evidence in the extension of older Gramine releases.",
  "allow_legacy_gramine": false,
  "//simulated": "Simulated measurements: the software digest.",
  "simulated": [],

  "//sgx": "Pin mrenclave, or signers: {mrsigner, product, minimum_version}.",
  "sgx": {"mrenclave": [], "signers": []},

  "//tdx": "Pin mrtd, and the rtmr values that the image extends. 48 bytes each.",
  "tdx": {
    "mrtd": [], "rtmr0": [], "rtmr1": [], "rtmr2": [], "rtmr3": [],
    "mrconfigid": [], "mrowner": [], "mrownerconfig": [], "mrseam": [],
    "//mrservicetd": "A service TD can read the machine; zero unless it is listed here.",
    "mrservicetd": [],
    "require_sept_ve_disable": true,
    "allow_migratable": false
  },

  "//snp": "Pin measurement. minimum_tcb: {\"genoa\": {\"boot_loader\": 10, \"snp\": 23}}.",
  "snp": {
    "measurement": [], "host_data": [], "id_key_digest": [], "author_key_digest": [],
    "report_id": [], "chip_id": [], "family_id": [], "image_id": [],
    "minimum_tcb": {},
    "vmpl_max": 0,
    "allow_vlek": true,
    "allow_migration_agent": false
  },

  "//tpm": "Pin pcrs, like {\"4\": [\"...\"]}, and ak_names. Alone it shows no enclave.",
  "tpm": {
    "pcr_selection": [0, 1, 2, 3, 4, 5, 6, 7],
    "pcrs": {},
    "ak_names": [],
    "allow_alone": false
  },

  "//intel": "Accepted statuses; a time says until when, null for good.",
  "intel": {
    "statuses": {"UpToDate": null},
    "//advisories": "When a list: evidence with an advisory outside of it is refused.",
    "advisories": null,
    "minimum_evaluation_number": 0,
    "collateral_age_days": null
  },

  "//claims": "What the server says of itself; trust it as far as the measured code.",
  "configuration": [],
  "software": [],
  "isolation": [],
  "sandbox": [],
  "anchor": [],
  "//settings": "Single settings of its configuration, like {\"allow_swap\": [false]}.",
  "settings": {},

  "//verdict_seconds": "How long a verdict is used; null: as long as collateral and certificate.",
  "verdict_seconds": null
}
)";

}  // namespace

Result<Policy> read_policy(std::string_view json) {
  CLOISTER_ASSIGN(const JsonValue root, parse_json(json, {kPolicyBytesMax, 8, 1U << 14}));
  Policy policy;
  CLOISTER_TRY(for_each_key(root, "policy", [&](const std::string& key, const JsonValue& value) {
    return read_member(key, value, policy);
  }));
  return policy;
}

std::string policy_template() { return kTemplate; }

}  // namespace cloister
