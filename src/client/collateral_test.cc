#include "client/collateral.h"

#include <gtest/gtest.h>


namespace cloister {
namespace {

/// A service that knows some targets, and what it was asked for.
struct Service {
  std::map<std::string, ClientResponse> answers;
  std::vector<std::string> asked;

  AskService ask() {
    return [this](const ServerUrl& url, const std::string& target) -> Result<ClientResponse> {
      asked.push_back(url.host + target);
      const auto found = answers.find(target);
      return found == answers.end() ? ClientResponse{404, {}, "none"} : found->second;
    };
  }
};

Verdict tdx_verdict() {
  Verdict verdict;
  verdict.kind = EvidenceKind::tdx;
  verdict.measurements = {{"fmspc", "00806f050000"}, {"pck_ca", "platform"}};
  return verdict;
}

Verdict snp_verdict(const std::string& model, const std::string& key) {
  Verdict verdict;
  verdict.kind = EvidenceKind::snp;
  verdict.measurements = {{"version", "3"},       {"cpuid_fam", "25"},
                          {"cpuid_mod", model},   {"signing_key", key},
                          {"chip_id", std::string(128, 'a')},
                          {"reported_tcb", "0300000000000873"}};
  return verdict;
}

Service intel_service() {
  Service service;
  service.answers["/tdx/certification/v4/tcb?fmspc=00806f050000"] = {
      200, {{"tcb-info-issuer-chain", "-----BEGIN%20CERTIFICATE-----%0A"}}, "{tcb}"};
  service.answers["/tdx/certification/v4/qe/identity"] = {200, {}, "{identity}"};
  service.answers["/sgx/certification/v4/pckcrl?ca=platform&encoding=der"] = {200, {}, "list"};
  service.answers["/sgx/certification/v4/rootcacrl"] = {200, {}, "3082"};
  service.answers["/IntelSGXRootCA.der"] = {200, {}, "root list"};
  return service;
}

std::string file(const CollateralFiles& files, const std::string& name) {
  return files.contains(name) ? std::string(text_of(files.at(name))) : "absent";
}

TEST(FetchCollateral, RefusesAServiceThatWithholdsADocument) {
  const Service whole = intel_service();
  for (const auto& [target, answer] : whole.answers) {
    if (target == "/sgx/certification/v4/rootcacrl") continue;
    Service service = whole;
    service.answers.erase(target);
    EXPECT_EQ(fetch_collateral(tdx_verdict(), {}, service.ask()).error().code, Code::unavailable)
        << target;
    service.answers[target] = {200, answer.headers, ""};
    EXPECT_FALSE(fetch_collateral(tdx_verdict(), {}, service.ask()).ok()) << target;
  }
  for (const char* chain : {"", "%", "%2", "%zz", "a%2"}) {
    Service service = whole;
    service.answers["/tdx/certification/v4/tcb?fmspc=00806f050000"].headers[0].value = chain;
    EXPECT_FALSE(fetch_collateral(tdx_verdict(), {}, service.ask()).ok()) << chain;
  }
}

TEST(FetchCollateral, AsksNobodyAboutEvidenceThatNamesNoPlatform) {
  Service service = intel_service();
  Verdict verdict;
  EXPECT_EQ(fetch_collateral(verdict, {}, service.ask()).error().code, Code::unsupported);
  for (const EvidenceKind kind :
       {EvidenceKind::sgx, EvidenceKind::tpm, EvidenceKind::snp, EvidenceKind::simulated}) {
    verdict.kind = kind;
    EXPECT_EQ(fetch_collateral(verdict, {}, service.ask()).error().code, Code::unsupported);
  }
  EXPECT_EQ(fetch_collateral(snp_verdict("255", "VCEK"), {}, service.ask()).error().code,
            Code::unsupported);
  EXPECT_TRUE(service.asked.empty());
}

TEST(FetchCollateral, TakesIntelsDocumentsAndTheIssuersFromTheirHeader) {
  Service service = intel_service();
  const CollateralFiles files = fetch_collateral(tdx_verdict(), {}, service.ask()).value();
  EXPECT_EQ(file(files, "tcb_info.json"), "{tcb}");
  EXPECT_EQ(file(files, "qe_identity.json"), "{identity}");
  EXPECT_EQ(file(files, "tcb_signing_chain.pem"), "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(file(files, "pck_ca.crl.der"), "list");
  EXPECT_EQ(file(files, "root_ca.crl.der"), "root list");
  CollateralServices cache;
  cache.intel.host = "cache.example";
  cache.intel_root.reset();
  service.asked.clear();
  const CollateralFiles cached = fetch_collateral(tdx_verdict(), cache, service.ask()).value();
  EXPECT_EQ(file(cached, "root_ca.crl.der"), "\x30\x82");
  for (const std::string& each : service.asked) EXPECT_TRUE(each.starts_with("cache.example/"));
}

TEST(FetchCollateral, NamesAmdsKeyByChipAndTcb) {
  Service service;
  CollateralServices services;
  services.amd.host = "kds.example";
  EXPECT_FALSE(fetch_collateral(snp_verdict("1", "VCEK"), services, service.ask()).ok());
  EXPECT_EQ(service.asked.back(), "kds.example/vcek/v1/Milan/" + std::string(128, 'a') +
                                      "?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115");
  service.answers["/vlek/v1/Genoa/cert_chain"] = {200, {}, "chain"};
  service.answers["/vlek/v1/Genoa/crl"] = {200, {}, "list"};
  const CollateralFiles files =
      fetch_collateral(snp_verdict("17", "VLEK"), services, service.ask()).value();
  EXPECT_EQ(file(files, "vek_chain.pem"), "chain");
  EXPECT_EQ(file(files, "amd.crl.der"), "list");
  EXPECT_FALSE(files.contains("vek.der"));
}

TEST(CollateralBundle, RefusesWhatIsNone) {
  for (const char* text : {"", "{}", "[]", R"({"files": []})", R"({"files": {"a": 1}})",
                           R"({"files": {"a": "?"}})", R"({"files": {"a": "", "a": ""}})"}) {
    EXPECT_FALSE(read_collateral_bundle(text).ok()) << text;
  }
  std::string many = R"({"files": {)";
  for (int i = 0; i < 17; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  EXPECT_FALSE(read_collateral_bundle(many + "}}").ok());
}

TEST(CollateralBundle, ComesBackAsItWasWritten) {
  const CollateralFiles files{{"a", ByteVector(3, std::byte{0xff})}, {"b", {}}};
  const std::string text = write_collateral_bundle(files, UtcSeconds{}, UtcSeconds{});
  EXPECT_NE(text.find(R"("expires":"1970-01-01T00:00:00Z")"), std::string::npos);
  EXPECT_EQ(read_collateral_bundle(text).value(), files);
}

}  // namespace
}  // namespace cloister
