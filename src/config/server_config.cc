#include "config/server_config.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <set>

#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

constexpr std::size_t kPathMax = 1024;
constexpr std::size_t kHostNameMax = 253;
constexpr std::size_t kNamesMax = 16;
constexpr std::uint64_t kPcrCount = 24;
constexpr std::uint64_t kSealedKeyMax = 3650ULL * 86'400;
constexpr std::uint64_t kGigabyte = 1ULL << 30;
// What TPM 2.0 leaves to the machine's owner; the anchor takes two in a row.
constexpr std::uint64_t kNvIndexMin = 0x01800000;
constexpr std::uint64_t kNvIndexMax = 0x01bffffe;

/// What a member of the configuration may hold. The same list reads and writes.
struct Text {
  std::size_t size_max;
};
struct Choice {
  std::initializer_list<std::string_view> values;
};
struct Range {
  std::uint64_t least;
  std::uint64_t most;
};
struct Any {};
struct AnyObject {};

/// Every member in canonical order, each once: the one place that knows the keys and the bounds.
template <class Config, class Visitor>
void for_each_member(Config& config, Visitor&& visit) {
  visit("listen_address", config.listen_address, Text{kHostNameMax});
  visit("listen_port", config.listen_port, Range{0, 65535});
  visit("names", config.names, Any{});
  visit("store", config.store, Text{kPathMax});
  visit("platform", config.platform,
        Choice{{"auto", "gramine", "occlum", "tsm", "sev-guest", "tdx-guest", "azure", "tpm",
                "simulated"}});
  visit("seal_to", config.seal_to, Choice{{"mrenclave", "mrsigner"}});
  visit("root_secret", config.root_secret, Choice{{"platform", "tpm"}});
  visit("tpm_device", config.tpm_device, Text{kPathMax});
  visit("tpm_pcrs", config.tpm_pcrs, Any{});
  visit("owner", config.owner, Any{});
  visit("isolation", config.isolation, Choice{{"inline", "process"}});
  visit("sandbox_require", config.sandbox_require,
        Choice{{"seccomp", "limits", "landlock", "own-user", "user-namespace", "pid-namespace",
                "network-namespace"}});
  visit("worker_scope", config.worker_scope, Choice{{"model", "principal", "request"}});
  visit("anchor", config.anchor, Choice{{"none", "tpm"}});
  visit("tpm_nv_index", config.tpm_nv_index, Range{kNvIndexMin, kNvIndexMax});
  visit("upgrade_policy", config.upgrade_policy, AnyObject{});
  visit("integrity", config.integrity, Choice{{"tags", "full"}});
  visit("optimised_forms", config.optimised_forms, Any{});
  visit("allow_swap", config.allow_swap, Any{});
  visit("log_requests", config.log_requests, Any{});
  visit("import", config.import, Any{});
  visit("preload", config.preload, Any{});
  visit("sealed_key_seconds", config.sealed_key_seconds, Range{1, kSealedKeyMax});
  visit("sealed_key_kept_seconds", config.sealed_key_kept_seconds, Range{1, kSealedKeyMax});
  visit("metrics", config.metrics, Any{});
  visit("metrics_address", config.metrics_address, Text{kHostNameMax});
  visit("metrics_port", config.metrics_port, Range{0, 65535});
  visit("run_threads", config.run_threads, Range{1, 64});
  visit("io_threads", config.io_threads, Range{1, 16});
  visit("intra_op_threads", config.intra_op_threads, Range{1, 64});
  visit("inter_op_threads", config.inter_op_threads, Range{1, 64});
  visit("queue_length_max", config.queue_length_max, Range{1, 65536});
  visit("connections_max", config.connections_max, Range{1, 65536});
  visit("memory_budget_bytes", config.memory_budget_bytes, Range{1U << 20, 1024 * kGigabyte});
  visit("upload_bytes_max", config.upload_bytes_max, Range{1, 2 * kGigabyte});
  visit("request_bytes_max", config.request_bytes_max, Range{1, 2 * kGigabyte});
  visit("receiving_bytes_per_principal_max", config.receiving_bytes_per_principal_max,
        Range{1, 1024 * kGigabyte});
  visit("requests_per_second_per_principal_max", config.requests_per_second_per_principal_max,
        Range{0, 1'000'000});
  visit("stored_bytes_per_owner_max", config.stored_bytes_per_owner_max,
        Range{1, 1024 * 1024 * kGigabyte});
  visit("versions_per_owner_max", config.versions_per_owner_max, Range{1, 1'000'000});
  visit("request_seconds_max", config.request_seconds_max, Range{1, 3600});
  visit("upload_seconds_max", config.upload_seconds_max, Range{1, 86400});
}

Error wrong(std::string_view key, const std::string& expected) {
  return Error{Code::invalid, "config.value",
               Detail("\"" + std::string(key) + "\": expected " + expected)};
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

/// `value` without blanks and with the members of objects in order of their names.
void write_canonical(JsonWriter& out, const JsonValue& value) {
  if (value.is_object()) {
    std::map<std::string_view, const JsonValue*> sorted;
    for (const JsonMember& member : value.members()) sorted.emplace(member.key, &member.value);
    out.begin_object();
    for (const auto& [key, member] : sorted) write_canonical(out.key(key), *member);
    out.end_object();
  } else if (value.is_array()) {
    out.begin_array();
    for (const JsonValue& item : value.items()) write_canonical(out, item);
    out.end_array();
  } else if (value.is_text()) {
    out.text(*value.text());
  } else {
    out.raw(value.raw());
  }
}

/// Reads one JSON value into one field.
class FieldReader {
 public:
  FieldReader(std::string_view key, const JsonValue& value) : key_(key), value_(value) {}

  Status read(std::string& field, Text bound) const {
    const auto text = value_.text();
    if (!text || text->empty() || text->size() > bound.size_max || text->find('\0') != text->npos) {
      return wrong(key_, "a text of 1 to " + std::to_string(bound.size_max) + " bytes");
    }
    field = *text;
    return Done{};
  }
  Status read(std::string& field, const Choice& choice) const {
    const auto text = value_.text();
    std::string expected;
    for (const std::string_view each : choice.values) {
      if (text == each) {
        field = each;
        return Done{};
      }
      expected += (expected.empty() ? "\"" : " or \"") + std::string(each) + "\"";
    }
    return wrong(key_, expected);
  }
  Status read(std::vector<std::string>& field, const Choice& choice) const {
    if (!value_.is_array() || value_.items().size() > choice.values.size()) {
      return wrong(key_, "a list of texts, each once at most");
    }
    field.clear();
    for (const JsonValue& item : value_.items()) {
      std::string each;
      CLOISTER_TRY(FieldReader(key_, item).read(each, choice));
      field.push_back(std::move(each));
    }
    return Done{};
  }
  template <class Unsigned>
  Status read(Unsigned& field, Range range) const {
    const auto number = value_.unsigned_integer();
    if (!number || *number < range.least || *number > range.most) {
      return wrong(key_, "a whole number from " + std::to_string(range.least) + " to " +
                             std::to_string(range.most));
    }
    field = static_cast<Unsigned>(*number);
    return Done{};
  }
  Status read(bool& field, Any) const {
    const auto flag = value_.boolean();
    if (!flag) return wrong(key_, "true or false");
    field = *flag;
    return Done{};
  }
  Status read(std::vector<std::string>& field, Any) const {
    const auto& items = value_.items();
    const bool good =
        !items.empty() && items.size() <= kNamesMax &&
        std::all_of(items.begin(), items.end(), [](const JsonValue& each) {
          const auto text = each.text();
          return text && !text->empty() && text->size() <= kHostNameMax && is_printable(*text);
        });
    if (!good) return wrong(key_, "a list of 1 to 16 host names or addresses");
    field.clear();
    for (const JsonValue& each : items) field.emplace_back(*each.text());
    return Done{};
  }
  Status read(std::set<std::uint32_t>& field, Any) const {
    const Error refused = wrong(key_, "a list of different PCR numbers from 0 to 23");
    field.clear();
    for (const JsonValue& item : value_.items()) {
      const auto number = item.unsigned_integer();
      if (!number || *number >= kPcrCount) return refused;
      if (!field.insert(static_cast<std::uint32_t>(*number)).second) return refused;
    }
    return field.empty() ? Status(refused) : Status(Done{});
  }
  Status read(std::optional<FirstOwner>& field, Any) const {
    if (value_.is_null()) return Done{};
    const JsonValue* name = value_.find("name");
    const JsonValue* key = value_.find("key_sha256");
    if (value_.members().size() != 2 || name == nullptr || key == nullptr || !name->text() ||
        !key->text()) {
      return wrong(key_, "{\"name\": ..., \"key_sha256\": ...}");
    }
    const auto digest = base64_decode(*key->text());
    if (!digest.ok() || digest.value().size() != 32) {
      return wrong("owner.key_sha256",
                   "base64 of the 32 bytes of the SHA-256 of the public key "
                   "(SubjectPublicKeyInfo, DER)");
    }
    FirstOwner owner;
    owner.name = *name->text();
    std::copy(digest.value().begin(), digest.value().end(), owner.key_sha256.begin());
    field = owner;
    return Done{};
  }
  Status read(std::string& field, AnyObject) const {
    field.clear();
    if (value_.is_null()) return Done{};
    if (!value_.is_object()) return wrong(key_, "an object or null");
    JsonWriter out(field);
    write_canonical(out, value_);
    return Done{};
  }
  Status read(std::optional<Import>& field, Any) const {
    if (value_.is_null()) return Done{};
    const JsonValue* folder = value_.find("folder");
    const JsonValue* models = value_.find("models");
    if (value_.members().size() != 2 || folder == nullptr || models == nullptr ||
        !models->is_array() || models->items().size() > kImportMax) {
      return wrong(key_, "{\"folder\", \"models\"}, the latter a list of at most 256");
    }
    Import import;
    CLOISTER_TRY(FieldReader("import.folder", *folder).read(import.folder, Text{kPathMax}));
    for (const JsonValue& item : models->items()) {
      CLOISTER_ASSIGN(ImportedModel each, FieldReader("import.models", item).imported_model());
      import.models.push_back(std::move(each));
    }
    field = std::move(import);
    return Done{};
  }
  Status read(std::vector<Preload>& field, Any) const {
    if (!value_.is_array() || value_.items().size() > kPreloadMax) {
      return wrong(key_, "a list of at most 1024 {\"owner\", \"model\", \"version\"}");
    }
    field.clear();
    for (const JsonValue& item : value_.items()) {
      const JsonValue* owner = item.find("owner");
      const JsonValue* model = item.find("model");
      const JsonValue* version = item.find("version");
      const JsonValue* pin = item.find("pin");
      if (item.members().size() != (pin == nullptr ? 3U : 4U) || owner == nullptr ||
          model == nullptr || version == nullptr || !owner->text() || !model->text() ||
          !version->unsigned_integer() || (pin != nullptr && !pin->boolean())) {
        return wrong(key_, "a list of {\"owner\", \"model\", \"version\"}, with \"pin\": true or "
                           "false where wanted");
      }
      field.push_back({std::string(*owner->text()), std::string(*model->text()),
                       *version->unsigned_integer(), pin == nullptr || *pin->boolean()});
    }
    return Done{};
  }

 private:
  Result<ImportedModel> imported_model() const {
    const JsonValue* owner = value_.find("owner");
    const JsonValue* model = value_.find("model");
    const JsonValue* version = value_.find("version");
    const JsonValue* sha256 = value_.find("sha256");
    ImportedModel made;
    if (value_.members().size() != 4 || owner == nullptr || model == nullptr ||
        version == nullptr || sha256 == nullptr || !owner->text() || !model->text() ||
        !version->unsigned_integer() || !sha256->text()) {
      return wrong(key_, "a list of {\"owner\", \"model\", \"version\", \"sha256\"}");
    }
    const auto digest = hex_decode(*sha256->text());
    if (!digest.ok() || digest.value().size() != made.sha256.size()) {
      return wrong(key_, "\"sha256\" as 64 hexadecimal digits");
    }
    made.owner = *owner->text();
    made.model = *model->text();
    made.version = *version->unsigned_integer();
    std::copy(digest.value().begin(), digest.value().end(), made.sha256.begin());
    return made;
  }

  std::string_view key_;
  const JsonValue& value_;
};

template <class Bound>
void write(JsonWriter& out, const std::string& value, const Bound&) {
  out.text(value);
}
void write(JsonWriter& out, const std::string& value, AnyObject) {
  if (value.empty()) {
    out.null();
  } else {
    out.raw(value);
  }
}
void write(JsonWriter& out, bool value) {
  out.boolean(value);
}
void write(JsonWriter& out, std::uint64_t value) {
  out.unsigned_integer(value);
}
void write(JsonWriter& out, std::uint32_t value) {
  out.unsigned_integer(value);
}
void write(JsonWriter& out, std::uint16_t value) {
  out.unsigned_integer(value);
}
void write(JsonWriter& out, const std::vector<std::string>& value) {
  out.begin_array();
  for (const std::string& each : value) out.text(each);
  out.end_array();
}
void write(JsonWriter& out, const std::set<std::uint32_t>& value) {
  out.begin_array();
  for (const std::uint32_t each : value) out.unsigned_integer(each);
  out.end_array();
}
void write(JsonWriter& out, const std::optional<FirstOwner>& value) {
  if (!value) {
    out.null();
    return;
  }
  out.begin_object().key("name").text(value->name);
  out.key("key_sha256").text(base64_encode(value->key_sha256)).end_object();
}
void write(JsonWriter& out, const std::optional<Import>& value) {
  if (!value) {
    out.null();
    return;
  }
  out.begin_object().key("folder").text(value->folder).key("models").begin_array();
  for (const ImportedModel& each : value->models) {
    out.begin_object().key("owner").text(each.owner).key("model").text(each.model);
    out.key("version").unsigned_integer(each.version);
    out.key("sha256").text(hex_encode(each.sha256)).end_object();
  }
  out.end_array().end_object();
}
void write(JsonWriter& out, const std::vector<Preload>& value) {
  out.begin_array();
  for (const Preload& each : value) {
    out.begin_object().key("owner").text(each.owner).key("model").text(each.model);
    out.key("version").unsigned_integer(each.version);
    out.key("pin").boolean(each.pin).end_object();
  }
  out.end_array();
}

template <class Field, class Bound>
void write(JsonWriter& out, const Field& value, const Bound&) {
  write(out, value);
}

}  // namespace

Result<ServerConfig> parse_server_config(std::string_view text) {
  CLOISTER_ASSIGN(const JsonValue root, parse_json(text, JsonLimits{kConfigBytesMax, 8, 8192}));
  if (!root.is_object()) {
    return Error{Code::invalid, "config.root", Detail("the configuration is one JSON object")};
  }
  ServerConfig config;
  std::size_t known = 0;
  Status failure = Done{};
  for_each_member(config, [&](std::string_view key, auto& field, const auto& bound) {
    const JsonValue* value = root.find(key);
    if (value == nullptr) return;
    ++known;
    Status read = FieldReader(key, *value).read(field, bound);
    if (failure.ok() && !read.ok()) failure = std::move(read);
  });
  CLOISTER_TRY(std::move(failure));
  if (known != root.members().size()) {
    for (const JsonMember& member : root.members()) {
      bool found = false;
      for_each_member(config, [&](std::string_view key, auto&, const auto&) {
        found = found || key == member.key;
      });
      if (!found) {
        return Error{Code::invalid, "config.unknown",
                     Detail("\"" + member.key + "\": no such setting")};
      }
    }
  }
  if (config.store.empty()) return wrong("store", "the folder of the encrypted store");
  return config;
}

std::string canonical_text(const ServerConfig& config) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  for_each_member(config, [&](std::string_view key, const auto& field, const auto& bound) {
    out.key(key);
    write(out, field, bound);
  });
  out.end_object();
  return text;
}

}  // namespace cloister
