#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "evidence/device/gramine_platform.h"
#include "evidence/device/tsm_platform.h"

namespace cloister {
namespace {

namespace fs = std::filesystem;

/// A folder of files that stand for a device's; gone with the object.
class FakeTree {
 public:
  FakeTree() {
    std::string name = (fs::temp_directory_path() / "cloister-device-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~FakeTree() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }
  void put(const std::string& file, std::string_view content) const {
    fs::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file, std::ios::binary) << content;
  }
  std::string get(const std::string& file) const {
    std::ifstream stream(path_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  fs::path path_;
};

ReportData example_report_data() {
  ReportData data{};
  data.fill(std::byte{0x41});
  return data;
}

TEST(GraminePlatform, RefusesOtherAttestationTypesAndAnAbsentDevice) {
  const FakeTree tree;
  EXPECT_EQ(make_gramine_platform({tree.path(), SealIdentity::mrenclave}).error().code,
            Code::not_found);
  tree.put("attestation_type", "none");
  EXPECT_EQ(make_gramine_platform({tree.path(), SealIdentity::mrenclave}).error().code,
            Code::unavailable);
}

TEST(GraminePlatform, FailsWithoutAQuoteOrAKeyOfTheRightSize) {
  const FakeTree tree;
  tree.put("attestation_type", "dcap\n");
  tree.put("user_report_data", "");
  tree.put("quote", "");
  tree.put("keys/_sgx_mrenclave", "short");
  const auto platform =
      make_gramine_platform({tree.path(), SealIdentity::mrenclave}).value();
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
  EXPECT_EQ(platform->root_secret().error().code, Code::corrupt);
}

TEST(GraminePlatform, WritesReportDataAndReadsQuoteAndKeys) {
  const FakeTree tree;
  tree.put("attestation_type", "dcap");
  tree.put("user_report_data", "");
  tree.put("quote", "a quote");
  tree.put("keys/_sgx_mrenclave", "0123456789abcdef");
  tree.put("keys/_sgx_mrsigner", "0123456789abcdef");
  const auto own = make_gramine_platform({tree.path(), SealIdentity::mrenclave}).value();
  const auto signer = make_gramine_platform({tree.path(), SealIdentity::mrsigner}).value();
  EXPECT_EQ(own->kind(), EvidenceKind::sgx);
  EXPECT_EQ(text_of(own->evidence_for(example_report_data()).value().evidence), "a quote");
  EXPECT_EQ(tree.get("user_report_data"), std::string(64, 'A'));
  EXPECT_EQ(own->root_secret().value().size(), kRootSecretBytes);
  EXPECT_EQ(signer->root_secret().value().size(), kRootSecretBytes);
}

TEST(TsmPlatform, RefusesOtherProvidersAndAnAbsentInterface) {
  const FakeTree tree;
  EXPECT_EQ(make_tsm_platform({tree.path() + "/absent", "entry", {}}).error().code,
            Code::not_found);
  tree.put("entry/provider", "arm_cca_guest\n");
  EXPECT_EQ(make_tsm_platform({tree.path(), "entry", {}}).error().code, Code::unavailable);
}

TEST(TsmPlatform, ReadsATdxQuoteAndHasNoSealingKey) {
  const FakeTree tree;
  tree.put("entry/provider", "tdx_guest\n");
  tree.put("entry/inblob", "");
  tree.put("entry/generation", "1\n");
  tree.put("entry/outblob", "a TD quote");
  const auto platform = make_tsm_platform({tree.path(), "entry", {}}).value();
  EXPECT_EQ(platform->kind(), EvidenceKind::tdx);
  EXPECT_EQ(text_of(platform->evidence_for(example_report_data()).value().evidence),
            "a TD quote");
  EXPECT_EQ(tree.get("entry/inblob"), std::string(64, 'A'));
  EXPECT_EQ(platform->root_secret().error().code, Code::unavailable);
  tree.put("entry/outblob", "");
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
}

TEST(TsmPlatform, ReadsAnSnpReportWithItsCertificates) {
  const FakeTree tree;
  tree.put("entry/provider", "sev_guest");
  tree.put("entry/inblob", "");
  tree.put("entry/generation", "7");
  tree.put("entry/outblob", "a report");
  tree.put("entry/auxblob", "a table");
  const auto platform =
      make_tsm_platform({tree.path(), "entry", [] {
                           return Result<SecretBytes>(SecretBytes(kRootSecretBytes));
                         }})
          .value();
  const PlatformEvidence made = platform->evidence_for(example_report_data()).value();
  EXPECT_EQ(platform->kind(), EvidenceKind::snp);
  EXPECT_EQ(text_of(made.evidence), "a report");
  EXPECT_EQ(text_of(made.endorsements), "a table");
  EXPECT_EQ(platform->root_secret().value().size(), kRootSecretBytes);
}

}  // namespace
}  // namespace cloister
