#include "client/collateral.h"

#include <algorithm>
#include <cstdlib>

#include "client/session.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "encoding/json_writer.h"
#include "verifier/amd/report.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::string_view kPcs = "/certification/v4/";
constexpr std::size_t kBundleFilesMax = 16;

std::string measured(const Verdict& verdict, std::string_view name) {
  for (const Measurement& each : verdict.measurements) {
    if (each.name == name) return each.value;
  }
  return "";
}

Error undocumented(const std::string& what) {
  return Error{Code::unavailable, "client.collateral",
               Detail("the service did not give " + what)};
}

/// A header's value with its percent signs taken off; nothing where one is malformed.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const Result<ByteVector> byte = hex_decode(text.substr(i + 1, 2));
    if (!byte.ok() || byte.value().size() != 1) return std::nullopt;
    decoded += static_cast<char>(byte.value().front());
    i += 2;
  }
  return decoded;
}

/// One answer that is a document, with its header `chain_header` decoded, where that is named.
struct Document {
  ByteVector content;
  ByteVector chain;
};

class Fetch {
 public:
  Fetch(const Verdict& about, const CollateralServices& services, const AskService& ask)
      : about_(about), services_(services), ask_(ask) {}

  Result<CollateralFiles> run() {
    switch (about_.kind.value_or(EvidenceKind::simulated)) {
      case EvidenceKind::sgx: CLOISTER_TRY(fetch_intel("/sgx")); break;
      case EvidenceKind::tdx:
      case EvidenceKind::azure_tdx: CLOISTER_TRY(fetch_intel("/tdx")); break;
      case EvidenceKind::snp:
      case EvidenceKind::azure_snp: CLOISTER_TRY(fetch_amd()); break;
      default:
        return Error{Code::unsupported, "client.collateral.kind",
                     Detail("evidence of this kind needs no collateral")};
    }
    return std::move(files_);
  }

 private:
  Result<Document> get(const ServerUrl& service, const std::string& target,
                       std::string_view chain_header = "") {
    CLOISTER_ASSIGN(const ClientResponse answer, ask_(service, target));
    if (answer.status != 200 || answer.body.empty()) {
      return undocumented(target + " (status " + std::to_string(answer.status) + ")");
    }
    Document document{copy_of(bytes_of(answer.body)), {}};
    if (chain_header.empty()) return document;
    const auto chain = percent_decoded(answer.header(chain_header).value_or(""));
    if (!chain || chain->empty()) return undocumented("the issuers of " + target);
    document.chain = copy_of(bytes_of(*chain));
    return document;
  }

  Status fetch_intel(const std::string& tee) {
    const std::string fmspc = measured(about_, "fmspc");
    const std::string authority = measured(about_, "pck_ca");
    if (fmspc.empty() || authority.empty()) {
      return Error{Code::unsupported, "client.collateral.fmspc",
                   Detail("the quote names no platform: its PCK chain does not hold")};
    }
    const std::string base(kPcs);
    CLOISTER_ASSIGN(Document tcb, get(services_.intel, tee + base + "tcb?fmspc=" + fmspc,
                                      "tcb-info-issuer-chain"));
    CLOISTER_ASSIGN(Document identity, get(services_.intel, tee + base + "qe/identity"));
    CLOISTER_ASSIGN(Document list, get(services_.intel, "/sgx" + base + "pckcrl?ca=" + authority +
                                                            "&encoding=der"));
    const bool cached = !services_.intel_root.has_value();
    CLOISTER_ASSIGN(Document root_list,
                    get(cached ? services_.intel : *services_.intel_root,
                        cached ? "/sgx" + base + "rootcacrl" : "/IntelSGXRootCA.der"));
    files_["tcb_info.json"] = std::move(tcb.content);
    files_["tcb_signing_chain.pem"] = std::move(tcb.chain);
    files_["qe_identity.json"] = std::move(identity.content);
    files_["pck_ca.crl.der"] = std::move(list.content);
    // Caches give this one in hexadecimal.
    const Result<ByteVector> plain = hex_decode(text_of(root_list.content));
    files_["root_ca.crl.der"] = plain.ok() ? plain.value() : std::move(root_list.content);
    return Done{};
  }

  std::optional<AmdProduct> amd_product() const {
    for (const AmdProduct each : {AmdProduct::milan, AmdProduct::genoa, AmdProduct::turin}) {
      if (services_.amd_product == name_of(each)) return each;
    }
    const auto number = [this](std::string_view name) {
      return static_cast<std::uint8_t>(std::strtoul(measured(about_, name).c_str(), nullptr, 10));
    };
    SnpReport report;
    report.version = number("version");
    report.cpuid_family = number("cpuid_fam");
    report.cpuid_model = number("cpuid_mod");
    return product_of(report);
  }

  Status fetch_amd() {
    const auto product = amd_product();
    const Result<ByteVector> version = hex_decode(measured(about_, "reported_tcb"));
    if (!product || !version.ok() || version.value().size() != 8) {
      return Error{Code::unsupported, "client.collateral.product",
                   Detail("the report does not name its product: give it with --product")};
    }
    std::string name = name_of(*product);
    name.front() = static_cast<char>(name.front() - 'a' + 'A');
    const bool by_vlek = measured(about_, "signing_key") == "VLEK";
    const std::string base = (by_vlek ? "/vlek/v1/" : "/vcek/v1/") + name;
    if (!by_vlek) {
      CLOISTER_ASSIGN(Document vcek, get(services_.amd, base + vcek_target(*product,
                                                                           version.value())));
      files_["vek.der"] = std::move(vcek.content);
    }
    CLOISTER_ASSIGN(Document chain, get(services_.amd, base + "/cert_chain"));
    CLOISTER_ASSIGN(Document list, get(services_.amd, base + "/crl"));
    files_["vek_chain.pem"] = std::move(chain.content);
    files_["amd.crl.der"] = std::move(list.content);
    return Done{};
  }

  std::string vcek_target(AmdProduct product, Bytes version) const {
    const SnpTcb tcb = tcb_of(version, product);
    const auto part = [](const char* name, unsigned value) {
      return std::string(name) + (value < 10 ? "=0" : "=") + std::to_string(value);
    };
    std::string chip = measured(about_, "chip_id");
    const bool is_turin = product == AmdProduct::turin;
    if (is_turin) chip.resize(std::min<std::size_t>(chip.size(), 16));
    return "/" + chip + "?" + (is_turin ? part("fmcSPL", tcb.fmc) + "&" : "") +
           part("blSPL", tcb.boot_loader) + "&" + part("teeSPL", tcb.tee) + "&" +
           part("snpSPL", tcb.snp) + "&" + part("ucodeSPL", tcb.microcode);
  }

  const Verdict& about_;
  const CollateralServices& services_;
  const AskService& ask_;
  CollateralFiles files_;
};

}  // namespace

Result<CollateralFiles> fetch_collateral(const Verdict& about, const CollateralServices& services,
                                         const AskService& ask) {
  return Fetch(about, services, ask).run();
}

std::string write_collateral_bundle(const CollateralFiles& files, UtcSeconds fetched,
                                    std::optional<UtcSeconds> expires) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("fetched").text(time_text(fetched)).key("expires");
  if (expires) {
    json.text(time_text(*expires));
  } else {
    json.null();
  }
  json.key("files").begin_object();
  for (const auto& [name, content] : files) json.key(name).text(base64_encode(content));
  json.end_object().end_object();
  return text + "\n";
}

Result<CollateralFiles> read_collateral_bundle(std::string_view text) {
  const Error invalid{Code::invalid, "client.bundle",
                      Detail("this is no collateral: expected what `cloister collateral fetch` "
                             "writes")};
  const auto parsed = parse_json(text, {kCollateralBundleMax, 3, 64});
  if (!parsed.ok()) return invalid;
  const JsonValue* given = parsed.value().find("files");
  if (given == nullptr || !given->is_object() || given->members().size() > kBundleFilesMax) {
    return invalid;
  }
  CollateralFiles files;
  for (const JsonMember& each : given->members()) {
    Result<ByteVector> content = base64_decode(each.value.text().value_or("?"));
    if (!content.ok()) return invalid;
    files[each.key] = std::move(content).value();
  }
  return files;
}

}  // namespace cloister
