#include "evidence/simulated/simulated_platform.h"

#include <gtest/gtest.h>

#include "crypto/signature.h"
#include "evidence/envelope.h"
#include "support/fake_entropy.h"
#include "support/faulty_files.h"

namespace cloister {
namespace {

const Sha256Digest kMeasurement = sha256(bytes_of("software"));

Result<Sha256Digest> digest_of_root(Files& files, std::uint64_t seed) {
  CountingEntropy entropy(seed);
  CLOISTER_ASSIGN(const auto platform, make_simulated_platform(files, entropy, kMeasurement));
  CLOISTER_ASSIGN(const SecretBytes root, platform->root_secret());
  // The secret itself cannot be read here; the file it came from can.
  for (const auto& [path, content] : static_cast<FaultyFiles&>(files).contents()) {
    if (path == kSimulatedRootFile) return sha256(content);
  }
  return Error{Code::not_found, "test.root"};
}

TEST(SimulatedPlatform, RefusesARootFileThatIsNotItsOwn) {
  FaultyFiles files;
  files.plant(kSimulatedRootFile, ByteVector(32));
  EXPECT_EQ(digest_of_root(files, 1).error().code, Code::corrupt);
  FaultyFiles other;
  other.plant_kind(kSimulatedRootFile, FileKind::link);
  EXPECT_FALSE(digest_of_root(other, 1).ok());
}

TEST(SimulatedPlatform, FailsWhenTheHostOrEntropyDoesAndNeverMakesASecondRoot) {
  FaultyFiles whole;
  const Sha256Digest root = digest_of_root(whole, 1).value();
  for (std::uint64_t call = 0; call < whole.calls(); ++call) {
    FaultyFiles files;
    files.arm(call, Fault::fails);
    (void)digest_of_root(files, 1);
    files.lose_power(Survival::everything);
    EXPECT_TRUE(digest_of_root(files, 1).ok()) << call;
  }
  FaultyFiles files;
  CountingEntropy entropy;
  entropy.fail_at(0);
  EXPECT_FALSE(make_simulated_platform(files, entropy, kMeasurement).ok());
  EXPECT_EQ(digest_of_root(whole, 2).value(), root);
}

TEST(SimulatedPlatform, MarksItsFileAsInsecure) {
  FaultyFiles files;
  ASSERT_TRUE(digest_of_root(files, 1).ok());
  const ByteVector content = files.contents().at(kSimulatedRootFile);
  EXPECT_EQ(text_of(content).find("INSECURE SIMULATION"), 0U);
}

TEST(SimulatedPlatform, SignsWhatItIsGiven) {
  FaultyFiles files;
  CountingEntropy entropy;
  const auto platform = make_simulated_platform(files, entropy, kMeasurement).value();
  ReportData report_data{};
  report_data.fill(std::byte{6});
  const PlatformEvidence made = platform->evidence_for(report_data).value();
  const SimulatedEvidence read = read_simulated(made.evidence).value();
  EXPECT_EQ(read.report_data, report_data);
  EXPECT_EQ(read.measurement, copy_of(kMeasurement));
  EXPECT_TRUE(PublicKey::from_spki(read.spki)
                  .value()
                  .verify(SignatureScheme::ecdsa_p256_sha256_raw, simulated_message(read),
                          read.signature)
                  .ok());
}

TEST(Envelope, RefusesEveryTruncationAndOtherMediaTypes) {
  for (const EvidenceKind kind :
       {EvidenceKind::simulated, EvidenceKind::snp, EvidenceKind::tpm, EvidenceKind::azure_snp,
        EvidenceKind::azure_tdx, EvidenceKind::sgx}) {
    ByteVector evidence(64);
    const EvidenceEnvelope envelope{kind, evidence, ByteVector(8, std::byte{1}), {}};
    const ByteVector encoded = write_envelope(envelope);
    const EvidenceEnvelope again = read_envelope(encoded).value();
    EXPECT_EQ(again.kind, kind);
    EXPECT_EQ(again.evidence, evidence);
    EXPECT_EQ(again.claims, envelope.claims);
    for (std::size_t size = 0; size < encoded.size(); ++size) {
      EXPECT_FALSE(read_envelope(Bytes(encoded).first(size)).ok()) << size;
    }
    std::string text(text_of(encoded));
    if (const std::size_t at = text.find("cloister."); at != std::string::npos) {
      text[at] = 'k';
      EXPECT_EQ(read_envelope(bytes_of(text)).error().code, Code::unsupported);
    }
  }
}

TEST(Envelope, NeverPutsASimulationUnderTheQuoteTag) {
  ByteVector quote(64);
  quote[4] = std::byte{2};  // a TEE type that is neither SGX nor TDX
  const ByteVector encoded = write_envelope({EvidenceKind::sgx, quote, {}, {}});
  EXPECT_EQ(read_envelope(encoded).error().code, Code::unsupported);
  const ByteVector simulated = write_envelope({EvidenceKind::simulated, {}, {}, {}});
  EXPECT_NE(text_of(simulated).find("insecure-simulation"), std::string_view::npos);
}

}  // namespace
}  // namespace cloister
