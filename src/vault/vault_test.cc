#include "vault/vault.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "support/vault_fixture.h"

namespace cloister {
namespace {

class VaultTest : public VaultFixture {};

TEST_F(VaultTest, RefusesAnEmptyFolderUnlessItMayCreate) {
  EXPECT_EQ(open().error().code, Code::not_found);
  EXPECT_TRUE(open(true).ok());
  EXPECT_TRUE(open().ok());
}

TEST_F(VaultTest, RefusesAFolderWithAnythingElseInIt) {
  files_.plant("notes.txt", ByteVector(3));
  EXPECT_EQ(open(true).error().code, Code::corrupt);
  EXPECT_EQ(open(false).error().code, Code::corrupt);
}

TEST_F(VaultTest, RefusesAnotherRootSecretAndAnotherLength) {
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(open(true, 2).error().code, Code::corrupt);
  EXPECT_EQ(open_vault({files_, entropy_, clock_, no_anchor_}, SecretBytes(16), settings_, false)
                .error().code,
            Code::invalid);
}

TEST_F(VaultTest, RefusesAnotherUpgradePolicyThanItWasMadeWith) {
  settings_.upgrade_policy = sha256(bytes_of("policy"));
  ASSERT_TRUE(open(true).ok());
  for (const Sha256Digest& other : {Sha256Digest{}, sha256(bytes_of("another"))}) {
    settings_.upgrade_policy = other;
    EXPECT_EQ(open().error().code, Code::invalid);
  }
  settings_.upgrade_policy = sha256(bytes_of("policy"));
  EXPECT_TRUE(open().ok());
}

TEST_F(VaultTest, RefusesASecondServer) {
  const auto first = open(true).value();
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::conflict);
  EXPECT_NE(DetailForTest::read(second.error()).find("another server"), std::string::npos);
}

TEST_F(VaultTest, RefusesANumberInUseOrUsedBefore) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  ASSERT_TRUE(upload(*vault, sample, ref(1)).ok());
  EXPECT_EQ(upload(*vault, sample, ref(1)).error().code, Code::conflict);
  ASSERT_TRUE(vault->erase(ref(1)).ok());
  EXPECT_EQ(upload(*vault, sample, ref(1)).error().code, Code::conflict);
  EXPECT_TRUE(vault->is_erased(ref(1)));
  EXPECT_FALSE(vault->is_erased(ref(2)));
}

TEST_F(VaultTest, RefusesTheSecondOfTwoStagedUnderOneNumber) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  auto first = vault->stage(record_of(sample, ref(1)), sample.model()).value();
  auto second = vault->stage(record_of(sample, ref(1)), sample.model()).value();
  EXPECT_TRUE(vault->commit(std::move(second)).ok());
  EXPECT_EQ(vault->commit(std::move(first)).error().code, Code::conflict);
  EXPECT_EQ(vault->versions().size(), 1U);
}

TEST_F(VaultTest, RefusesNamesAndNumbersOutOfBounds) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  for (const VersionRef& bad : {ref(0), ref(kVersionNumberMax + 1), ref(1, ""),
                                ref(1, std::string(kModelNameMax + 1, 'a'))}) {
    EXPECT_EQ(vault->stage(record_of(sample, bad), sample.model()).error().code, Code::invalid);
  }
}

TEST_F(VaultTest, RefusesASignatureThatWouldCrowdTheCatalogue) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  VersionRecord record = record_of(sample, ref(1));
  const TensorSpec tensor{std::string(1000, 'n'), DType::f32, true, {}};
  record.signature.inputs.assign(200, tensor);
  EXPECT_TRUE(vault->stage(record, sample.model()).ok());
  const auto before = files_.contents();
  record.signature.inputs.assign(300, tensor);
  EXPECT_EQ(vault->stage(record, sample.model()).error().code, Code::too_large);
  EXPECT_EQ(files_.contents(), before);
}

TEST_F(VaultTest, RefusesMoreCatalogueFilesThanItWrites) {
  ASSERT_TRUE(open(true).ok());
  ByteVector file = files_.contents().at("catalogue/0000000000000001");
  file[8] = std::byte{0};  // a change
  for (int epoch = 2; epoch <= 40; ++epoch) {
    file[32] = static_cast<std::byte>(epoch);
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "catalogue/%016x", static_cast<unsigned>(epoch));
    files_.plant(name.data(), file);
  }
  const auto opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(DetailForTest::read(opened.error()).find("too many files"), std::string::npos);
}

TEST_F(VaultTest, RefusesWhatItDoesNotHold) {
  const auto vault = open(true).value();
  EXPECT_EQ(vault->open_version(ref(1)).error().code, Code::not_found);
  EXPECT_EQ(vault->erase(ref(1)).error().code, Code::not_found);
  EXPECT_FALSE(vault->find(ref(1)).has_value());
  EXPECT_FALSE(vault->newest(ref(1).model).has_value());
  EXPECT_EQ(principals_of(*vault), "");
}

TEST_F(VaultTest, OpensWhatItSealedAtEverySizeAndInBothModes) {
  constexpr std::size_t kMiB = 1U << 20;
  const std::size_t sizes[] = {0, 256, kMiB - 1, kMiB, kMiB + 1, 3 * kMiB + 17};
  {
    const auto vault = open(true).value();
    for (std::size_t i = 0; i < std::size(sizes); ++i) {
      ASSERT_TRUE(upload(*vault, SampleModel(i, 5000, sizes[i]), ref(i + 1)).ok());
    }
  }
  for (const IntegrityMode mode : {IntegrityMode::tags, IntegrityMode::full}) {
    settings_.integrity = mode;
    const auto vault = open().value();
    for (std::size_t i = 0; i < std::size(sizes); ++i) {
      expect_holds(*vault, SampleModel(i, 5000, sizes[i]), ref(i + 1));
    }
  }
}

TEST_F(VaultTest, OpensWithEitherLibraryWhatTheOtherSealed) {
  // A CPU without AVX-512 or VAES has OpenSSL alone.
  const SampleModel sample(1, 600'000, (3U << 20) + 17);
  constexpr AeadChoice kLibraries[] = {AeadChoice::openssl, AeadChoice::fastest};
  std::uint64_t sealed = 0;
  for (const AeadChoice library : kLibraries) {
    settings_.aead = library;
    ASSERT_TRUE(upload(*open(true).value(), sample, ref(++sealed)).ok());
  }
  for (const AeadChoice library : kLibraries) {
    for (const IntegrityMode mode : {IntegrityMode::tags, IntegrityMode::full}) {
      settings_.aead = library;
      settings_.integrity = mode;
      const auto vault = open().value();
      for (std::uint64_t i = 1; i <= sealed; ++i) expect_holds(*vault, sample, ref(i));
    }
  }
}

TEST_F(VaultTest, OpensAStagedVersionBeforeTheCommit) {
  const SampleModel sample(1, 100, 3U << 20);
  const auto vault = open(true).value();
  const auto staged = vault->stage(record_of(sample, ref(1)), sample.model()).value();
  const auto opened = staged->open();
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(equal_in_constant_time(opened.value().weights.bytes(), sample.weights()));
  EXPECT_FALSE(vault->find(ref(1)).has_value());
}

TEST_F(VaultTest, ForgetsAStagedVersionThatIsNotCommitted) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  const auto before = files_.contents();
  vault->stage(record_of(sample, ref(1)), sample.model()).value().reset();
  EXPECT_EQ(files_.contents(), before);
}

TEST_F(VaultTest, KeepsEverythingOverARestart) {
  const SampleModel sample(1, 100, 1000);
  VersionRecord stored;
  {
    const auto vault = open(true).value();
    for (std::uint64_t i = 1; i <= 40; ++i) ASSERT_TRUE(upload(*vault, sample, ref(i)).ok());
    ASSERT_TRUE(vault->erase(ref(7)).ok());
    ASSERT_TRUE(vault->put_record("principals", bytes_of("content")).ok());
    stored = *vault->find(ref(40));
    EXPECT_EQ(vault->epoch(), 43U);
  }
  const auto vault = open().value();
  EXPECT_EQ(vault->epoch(), 43U);
  EXPECT_EQ(vault->versions().size(), 39U);
  EXPECT_EQ(vault->newest(ref(1).model)->ref, ref(40));
  EXPECT_TRUE(vault->is_erased(ref(7)));
  EXPECT_FALSE(vault->find(ref(7)).has_value());
  EXPECT_EQ(principals_of(*vault), "content");
  const VersionRecord found = *vault->find(ref(40));
  EXPECT_EQ(found.sha256, stored.sha256);
  EXPECT_EQ(found.stored_bytes, stored.stored_bytes);
  EXPECT_EQ(found.uploaded_at, stored.uploaded_at);
  EXPECT_EQ(found.signature, stored.signature);
  EXPECT_EQ(found.cost.weights_bytes, stored.cost.weights_bytes);
  expect_holds(*vault, sample, ref(40));
}

TEST_F(VaultTest, ListsInOrderAndFindsTheNewestOfEachModel) {
  const SampleModel sample(1, 100, 256);
  const auto vault = open(true).value();
  for (const auto& [number, name] : {std::pair{3, "b"}, {1, "b"}, {9, "a"}, {2, "c"}}) {
    ASSERT_TRUE(upload(*vault, sample, ref(static_cast<std::uint64_t>(number), name)).ok());
  }
  const auto versions = vault->versions();
  EXPECT_TRUE(std::ranges::is_sorted(versions, {}, &VersionRecord::ref));
  EXPECT_EQ(vault->newest(ref(1, "b").model)->ref, ref(3, "b"));
  ASSERT_TRUE(vault->erase(ref(3, "b")).ok());
  EXPECT_EQ(vault->newest(ref(1, "b").model)->ref, ref(1, "b"));
  ASSERT_TRUE(vault->erase(ref(1, "b")).ok());
  EXPECT_FALSE(vault->newest(ref(1, "b").model).has_value());
  EXPECT_EQ(vault->newest(ref(1, "a").model)->ref, ref(9, "a"));
}

TEST_F(VaultTest, LeavesNothingOfAnErasedVersionOnDisk) {
  const SampleModel sample(1, 100, 1000);
  const auto vault = open(true).value();
  ASSERT_TRUE(upload(*vault, sample, ref(1)).ok());
  EXPECT_EQ(vault->erase(ref(1)).value(), Erasure::not_anchored);
  const auto contents = files_.contents();
  // The lock, the store and one whole catalogue: no version, and no catalogue that knew its keys.
  EXPECT_EQ(contents.size(), 3U);
  EXPECT_TRUE(contents.contains("catalogue/0000000000000003"));
}

TEST_F(VaultTest, WritesNoPlaintextToTheDisk) {
  const SampleModel sample(1, 4096, 100'000);
  {
    const auto vault = open(true).value();
    ASSERT_TRUE(upload(*vault, sample, ref(1, "unmistakable")).ok());
  }
  const auto appears = [&](Bytes needle) {
    return std::ranges::any_of(files_.writes(), [&](const ByteVector& written) {
      return !std::ranges::search(written, needle).empty();
    });
  };
  EXPECT_TRUE(appears(bytes_of("CLOISTV1")));  // the search finds what is there
  EXPECT_FALSE(appears(bytes_of("unmistakable")));
  EXPECT_FALSE(appears(bytes_of("label")));
  for (std::size_t at = 0; at + 16 <= sample.weights().size(); at += 997) {
    EXPECT_FALSE(appears(sample.weights().subspan(at, 16))) << at;
  }
}

TEST_F(VaultTest, ReportsEveryDamageAndEveryUnknownFile) {
  {
    const auto vault = open(true).value();
    for (std::uint64_t i = 1; i <= 3; ++i) {
      ASSERT_TRUE(upload(*vault, SampleModel(i, 100, 300 * i), ref(i)).ok());
    }
  }
  const auto verify = [&] {
    return verify_store({files_, entropy_, clock_, no_anchor_}, root_secret(), settings_).value();
  };
  EXPECT_EQ(verify().versions, 3U);
  EXPECT_TRUE(verify().damaged.empty());
  EXPECT_TRUE(verify().unknown_files.empty());
  for (const auto& [path, content] : files_.contents()) {
    if (!path.starts_with("versions/") || content.size() < 9000) continue;
    ByteVector damaged = content;
    damaged.back() ^= std::byte{1};
    files_.plant(path, damaged);
  }
  files_.plant("versions/note", {});
  const StoreReport report = verify();
  ASSERT_EQ(report.damaged.size(), 1U);
  EXPECT_EQ(report.damaged[0].ref, ref(3));
  EXPECT_EQ(report.damaged[0].code, Code::corrupt);
  EXPECT_EQ(report.unknown_files, std::vector<std::string>{"versions/note"});
  EXPECT_EQ(report.epoch, 4U);
}

TEST_F(VaultTest, SealsNothingTwiceUnderOneKeyWhereRandomnessRepeats) {
  // A machine and its clone: the same store, then the same randomness for two different models.
  ASSERT_TRUE(open(true).ok());
  const auto before = files_.contents();
  const auto seal = [&](std::uint64_t seed) {
    for (const auto& [path, content] : before) files_.plant(path, content);
    entropy_ = CountingEntropy(99);
    const auto vault = open().value();
    const SampleModel sample(seed, 400, 1000);
    const auto staged = vault->stage(record_of(sample, ref(1)), sample.model()).value();
    ByteVector file;
    for (const auto& [path, content] : files_.contents()) {
      if (path.starts_with("staging/")) file = content;
    }
    return file;
  };
  const ByteVector first = seal(1);
  const ByteVector second = seal(2);
  EXPECT_EQ(first, seal(1));
  ASSERT_EQ(first.size(), second.size());
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 32, second.begin()));  // the same file id
  // Under one key stream, the difference of two ciphertexts would be that of the plaintexts.
  const SampleModel a(1, 400, 1000);
  const SampleModel b(2, 400, 1000);
  std::size_t agree = 0;
  const std::size_t at = first.size() - 1000;
  for (std::size_t i = 0; i < 1000; ++i) {
    agree += (first[at + i] ^ second[at + i]) == (a.weights()[i] ^ b.weights()[i]) ? 1 : 0;
  }
  EXPECT_LT(agree, 30U);
}

}  // namespace
}  // namespace cloister
