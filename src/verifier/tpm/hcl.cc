#include "verifier/tpm/hcl.h"

#include "encoding/base64.h"
#include "encoding/json.h"
#include "verifier/fields.h"

namespace cloister {
namespace {

constexpr std::uint32_t kSignature = 0x414C4348;  // "HCLA"
constexpr std::uint32_t kAttestationRequest = 2;
constexpr std::uint32_t kSnpReport = 2;
constexpr std::uint32_t kTdxReport = 4;
constexpr std::uint32_t kSha256 = 1;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kHardwareReportBytes = 1184;
constexpr std::size_t kRuntimeDataMax = 16 * 1024;
constexpr std::size_t kConfigurationMax = 32;

Error malformed() { return Error{Code::corrupt, "hcl.malformed"}; }

std::string_view text_at(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return value == nullptr ? std::string_view() : value->text().value_or(std::string_view());
}

Status read_ak(const JsonValue& root, HclReport& report) {
  const JsonValue* keys = root.find("keys");
  if (keys == nullptr) return malformed();
  const JsonValue* found = nullptr;
  for (const JsonValue& key : keys->items()) {
    if (text_at(key, "kid") != "HCLAkPub") continue;
    if (found != nullptr) return malformed();
    found = &key;
  }
  if (found == nullptr || text_at(*found, "kty") != "RSA") return malformed();
  const Result<ByteVector> modulus = base64url_decode(text_at(*found, "n"));
  const Result<ByteVector> exponent = base64url_decode(text_at(*found, "e"));
  if (!modulus.ok() || !exponent.ok() || exponent.value().size() > 4) return malformed();
  report.ak_modulus = modulus.value();
  for (const std::byte b : exponent.value()) {
    report.ak_exponent = report.ak_exponent << 8 | std::to_integer<std::uint32_t>(b);
  }
  return Done{};
}

Status read_runtime_data(HclReport& report) {
  const Result<JsonValue> parsed =
      parse_json(text_of(report.runtime_data), {kRuntimeDataMax, 8, 512});
  if (!parsed.ok() || !parsed.value().is_object()) return malformed();
  const JsonValue& root = parsed.value();
  CLOISTER_TRY(read_ak(root, report));
  report.user_data = text_at(root, "user-data");
  const JsonValue* configuration = root.find("vm-configuration");
  if (configuration == nullptr) return Done{};
  if (configuration->members().size() > kConfigurationMax) return malformed();
  for (const JsonMember& member : configuration->members()) {
    const auto text = member.value.text();
    std::string value = text ? std::string(*text) : std::string(member.value.raw());
    report.vm_configuration.emplace_back(member.key, std::move(value));
  }
  return Done{};
}

}  // namespace

Result<HclReport> read_hcl_report(Bytes bytes) {
  ByteReader reader(bytes);
  HclReport report;
  CLOISTER_ASSIGN(const std::uint32_t signature, reader.u32_le());
  CLOISTER_TRY(reader.skip(8));  // version and size, which differ between releases
  CLOISTER_ASSIGN(const std::uint32_t request, reader.u32_le());
  // Behind the hardware's report: the size of what follows, and its version.
  CLOISTER_TRY(take_fields(reader, {{nullptr, kHeaderBytes - 16},
                                    {&report.hardware_report, kHardwareReportBytes},
                                    {nullptr, 8}}));
  CLOISTER_ASSIGN(const std::uint32_t type, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t hash, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  if (signature != kSignature || request != kAttestationRequest || hash != kSha256 ||
      (type != kSnpReport && type != kTdxReport)) {
    return Error{Code::unsupported, "hcl.type"};
  }
  report.is_tdx = type == kTdxReport;
  CLOISTER_ASSIGN(report.runtime_data, reader.take(size));
  CLOISTER_TRY(read_runtime_data(report));
  return report;
}

}  // namespace cloister
