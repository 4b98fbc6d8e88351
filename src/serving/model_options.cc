#include "serving/model_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "encoding/json.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kRecordBytesMax = 4U << 20;
constexpr std::size_t kOwnersBytesMax = 256U << 10;  // so that no owner takes the others' room
constexpr std::string_view kAcrossPrincipals = "cloister_batch_across_principals";
constexpr std::string_view kNameInMetrics = "cloister_name_in_metrics";
constexpr std::string_view kNeverCached = "cloister_never_cached";

/// What clients send back as they were told it, and what the model file decides.
constexpr std::array<std::string_view, 16> kPassedOver = {
    "name", "platform", "backend", "input", "output", "batch_input", "batch_output", "optimization",
    "instance_group", "default_model_filename", "cc_model_filenames", "metric_tags", "model_warmup",
    "model_operations", "model_transaction_policy", "runtime"};

Error wrong(std::string_view key, const std::string& expected) {
  return Error{Code::invalid, "model_options.value",
               Detail("config, \"" + std::string(key) + "\": expected " + expected)};
}

Result<std::uint64_t> number_of(std::string_view key, const JsonValue& value, std::uint64_t most) {
  const auto number = value.unsigned_integer();
  if (!number || *number > most) {
    return wrong(key, "a whole number from 0 to " + std::to_string(most));
  }
  return *number;
}

/// Protobuf's JSON writes 64-bit integers as text: both forms are read.
std::optional<std::uint64_t> whole_of(const JsonValue& value) {
  if (const auto number = value.unsigned_integer()) return number;
  const auto text = value.text();
  std::uint64_t number = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

Result<std::vector<std::uint64_t>> numbers_of(std::string_view key, const JsonValue& value,
                                              std::size_t count_max, std::uint64_t most) {
  std::vector<std::uint64_t> numbers;
  const bool fits = value.is_array() && value.items().size() <= count_max;
  for (const JsonValue& each : value.items()) {
    const auto number = whole_of(each);
    if (!fits || !number || *number < 1 || *number > most) break;
    numbers.push_back(*number);
  }
  if (!fits || numbers.size() != value.items().size()) {
    return wrong(key, "a list of at most " + std::to_string(count_max) + " numbers from 1 to " +
                          std::to_string(most));
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

Result<VersionPolicy> read_policy(const JsonValue& value) {
  const char* const expected =
      "one of {\"all\": {}}, {\"latest\": {\"num_versions\": n}}, {\"specific\": {\"versions\": "
      "[...]}}";
  if (!value.is_object() || value.members().size() != 1) return wrong("version_policy", expected);
  const JsonMember& member = value.members().front();
  if (!member.value.is_object()) return wrong("version_policy", expected);
  if (member.key == "all") return VersionPolicy(AllVersions{});
  if (member.key == "latest") {
    const JsonValue* count = member.value.find("num_versions");
    const auto number = count == nullptr ? std::optional<std::uint64_t>(1) : whole_of(*count);
    if (!number || *number < 1) return wrong("version_policy", expected);
    return VersionPolicy(LatestVersions{*number});
  }
  const JsonValue* versions = member.value.find("versions");
  if (member.key != "specific" || versions == nullptr) return wrong("version_policy", expected);
  CLOISTER_ASSIGN(const auto numbers, numbers_of("versions", *versions, kPolicyVersionsMax,
                                                 kVersionNumberMax));
  if (numbers.empty()) return wrong("version_policy", "at least one version");
  SpecificVersions specific;
  for (const std::uint64_t each : numbers) specific.numbers.push_back(VersionNumber{each});
  return VersionPolicy(std::move(specific));
}

Status read_batching(const JsonValue& value, ModelOptions& options) {
  if (!value.is_object()) return wrong("dynamic_batching", "an object");
  for (const JsonMember& member : value.members()) {
    if (member.key == "max_queue_delay_microseconds") {
      const auto delay = whole_of(member.value);
      if (!delay || *delay > kQueueDelayMicrosecondsMax) {
        return wrong(member.key, "0 to " + std::to_string(kQueueDelayMicrosecondsMax));
      }
      options.queue_delay_microseconds_max = *delay;
    } else if (member.key == "preferred_batch_size") {
      CLOISTER_ASSIGN(options.preferred_sizes,
                      numbers_of(member.key, member.value, kPreferredSizesMax, kBatchMax));
    } else if (whole_of(member.value).value_or(1) != 0 && member.value.boolean().value_or(true) &&
               !(member.value.is_object() && member.value.members().empty())) {
      // Members that say nothing (0, false, {}) are what a full configuration brings along.
      return wrong("dynamic_batching." + member.key, "nothing: this is not served");
    }
  }
  return Done{};
}

Status read_parameters(const JsonValue& value, ModelOptions& options) {
  if (!value.is_object()) return wrong("parameters", "an object");
  for (const JsonMember& member : value.members()) {
    const JsonValue* text = member.value.find("string_value");
    bool* flag = member.key == kAcrossPrincipals ? &options.batch_across_principals
                 : member.key == kNameInMetrics  ? &options.name_in_metrics
                 : member.key == kNeverCached    ? &options.never_cached
                                                 : nullptr;
    if (flag == nullptr) return wrong("parameters." + member.key, "nothing: no such parameter");
    if (text == nullptr || (text->text() != "true" && text->text() != "false")) {
      return wrong("parameters." + member.key, "{\"string_value\": \"true\" or \"false\"}");
    }
    *flag = text->text() == "true";
  }
  return Done{};
}

Status read_member(const JsonMember& member, ModelOptions& options) {
  if (member.key == "max_batch_size") {
    CLOISTER_ASSIGN(options.batch_max, number_of(member.key, member.value, kBatchMax));
  } else if (member.key == "version_policy") {
    CLOISTER_ASSIGN(options.policy, read_policy(member.value));
  } else if (member.key == "dynamic_batching") {
    return read_batching(member.value, options);
  } else if (member.key == "parameters") {
    return read_parameters(member.value, options);
  } else if (std::find(kPassedOver.begin(), kPassedOver.end(), member.key) == kPassedOver.end()) {
    return wrong(member.key, "nothing: this is not served");
  }
  return Done{};
}

Result<ModelOptions> options_of(const JsonValue& root) {
  if (!root.is_object()) return wrong("config", "a JSON object");
  ModelOptions options;
  for (const JsonMember& member : root.members()) CLOISTER_TRY(read_member(member, options));
  if (!options.preferred_sizes.empty() && options.preferred_sizes.back() > options.batch_max) {
    return wrong("preferred_batch_size", "sizes up to max_batch_size");
  }
  return options;
}

void write_policy(JsonWriter& out, const VersionPolicy& policy) {
  out.begin_object();
  if (const auto* latest = std::get_if<LatestVersions>(&policy)) {
    out.key("latest").begin_object();
    out.key("num_versions").unsigned_integer(latest->count).end_object();
  } else if (const auto* specific = std::get_if<SpecificVersions>(&policy)) {
    out.key("specific").begin_object().key("versions").begin_array();
    for (const VersionNumber each : specific->numbers) out.unsigned_integer(each.value);
    out.end_array().end_object();
  } else {
    out.key("all").begin_object().end_object();
  }
  out.end_object();
}

std::string record_name() { return "model-options"; }

}  // namespace

Result<ModelOptions> parse_model_options(std::string_view json) {
  CLOISTER_ASSIGN(const JsonValue root, parse_json(json, {kOptionsTextMax, kDepthMax, 16'384}));
  return options_of(root);
}

std::string model_options_json(const ModelOptions& options) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("version_policy");
  write_policy(out, options.policy);
  out.key("max_batch_size").unsigned_integer(options.batch_max);
  if (options.batch_max > 0) {
    out.key("dynamic_batching").begin_object().key("preferred_batch_size").begin_array();
    for (const std::uint64_t each : options.preferred_sizes) out.unsigned_integer(each);
    out.end_array().key("max_queue_delay_microseconds");
    out.unsigned_integer(options.queue_delay_microseconds_max).end_object();
  }
  out.key("parameters").begin_object();
  const auto flag = [&](std::string_view key, bool value) {
    if (value) out.key(key).begin_object().key("string_value").text("true").end_object();
  };
  flag(kAcrossPrincipals, options.batch_across_principals);
  flag(kNameInMetrics, options.name_in_metrics);
  flag(kNeverCached, options.never_cached);
  out.end_object().end_object();
  return json;
}

std::vector<VersionNumber> served_versions(const VersionPolicy& policy,
                                           const std::vector<VersionNumber>& stored) {
  if (const auto* latest = std::get_if<LatestVersions>(&policy)) {
    const auto count = std::min<std::uint64_t>(latest->count, stored.size());
    return {stored.end() - static_cast<std::ptrdiff_t>(count), stored.end()};
  }
  if (const auto* specific = std::get_if<SpecificVersions>(&policy)) {
    std::vector<VersionNumber> served;
    std::set_intersection(stored.begin(), stored.end(), specific->numbers.begin(),
                          specific->numbers.end(), std::back_inserter(served));
    return served;
  }
  return stored;
}

bool can_batch(const Signature& signature) {
  const auto open = [](const TensorSpec& spec) {
    return spec.rank_known && !spec.extents.empty() && !spec.extents.front().value &&
           spec.type != DType::bytes;
  };
  return !signature.inputs.empty() && signature.optional_inputs.empty() &&
         std::all_of(signature.inputs.begin(), signature.inputs.end(), open) &&
         std::all_of(signature.outputs.begin(), signature.outputs.end(), open);
}

Result<std::unique_ptr<OptionsBook>> OptionsBook::open(Vault& vault) {
  std::unique_ptr<OptionsBook> book(new OptionsBook(vault));
  CLOISTER_TRY(vault.with_record(record_name(), [&book](Bytes record) -> Status {
    if (record.empty()) return Done{};
    const auto unreadable = Error{Code::corrupt, "model_options.record"};
    const auto root = parse_json(text_of(record), {kRecordBytesMax, kDepthMax, 1U << 20});
    if (!root.ok()) return unreadable;
    const MutexLock lock(book->mutex_);
    for (const JsonMember& member : root.value().members()) {
      const std::size_t dot = member.key.find('.');
      auto options = options_of(member.value);
      if (dot == std::string::npos || !options.ok()) return unreadable;
      book->entries_.emplace(
          ModelId{PrincipalId{member.key.substr(0, dot)}, member.key.substr(dot + 1)},
          std::make_shared<const ModelOptions>(std::move(options).value()));
    }
    return Done{};
  }));
  return book;
}

std::shared_ptr<const ModelOptions> OptionsBook::of(const ModelId& model) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(model);
  return found == entries_.end() ? defaults_ : found->second;
}

OptionsBook::Entries OptionsBook::current() const {
  const MutexLock lock(mutex_);
  return entries_;
}

Status OptionsBook::set(const ModelId& model, const ModelOptions& options) {
  const MutexLock changing(changes_);
  Entries entries = current();
  const auto found = entries.find(model);
  if (found != entries.end() && *found->second == options) return Done{};
  if (found == entries.end() && options == *defaults_) return Done{};
  entries[model] = std::make_shared<const ModelOptions>(options);
  std::size_t owners_bytes = 0;
  for (const auto& [each, of_each] : entries) {
    if (each.owner == model.owner) owners_bytes += model_options_json(*of_each).size();
  }
  if (owners_bytes > kOwnersBytesMax) {
    return Error{Code::too_large, "model_options.owner",
                 Detail("the options of your models take more than " +
                        std::to_string(kOwnersBytesMax) + " bytes together")};
  }
  return replace(std::move(entries));
}

Status OptionsBook::forget(const ModelId& model) {
  const MutexLock changing(changes_);
  Entries entries = current();
  if (entries.erase(model) == 0) return Done{};
  return replace(std::move(entries));
}

Status OptionsBook::replace(Entries changed) {
  std::string json;
  JsonWriter out(json);
  out.begin_object();
  for (const auto& [model, options] : changed) {
    out.key(model.owner.value + "." + model.name).raw(model_options_json(*options));
  }
  out.end_object();
  if (json.size() > kRecordBytesMax) {
    return Error{Code::too_large, "model_options.record",
                 Detail("too many models have options of their own")};
  }
  CLOISTER_TRY(vault_.put_record(record_name(), bytes_of(json)));
  const MutexLock lock(mutex_);
  entries_ = std::move(changed);
  return Done{};
}

}  // namespace cloister
