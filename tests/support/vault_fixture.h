#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "support/fake_clock.h"
#include "support/fake_entropy.h"
#include "support/faulty_files.h"
#include "support/sample_model.h"
#include "vault/vault.h"

namespace cloister {

struct DetailForTest {
  static const std::string& read(const Error& error) { return error.detail.reveal(DetailToken()); }
};

/// A store on a disk in memory, with everything it needs.
class VaultFixture : public testing::Test {
 protected:
  static SecretBytes root_secret(int which = 1) {
    return SecretBytes(ByteVector(32, static_cast<std::byte>(which)));
  }
  static VersionRef ref(std::uint64_t number, const std::string& name = "m") {
    return {{{"owner"}, name}, {number}};
  }
  static VersionRecord record_of(const SampleModel& sample, VersionRef which) {
    VersionRecord record;
    record.ref = std::move(which);
    record.sha256 = sha256(sample.weights());
    record.upload_bytes = sample.weights().size() + 100;
    record.uploaded_at = UtcSeconds(std::chrono::seconds(1'760'000'000));
    record.signature = sample.model().bundle().signature;
    record.cost = sample.model().cost();
    return record;
  }
  Result<std::unique_ptr<Vault>> open(bool create = false, int secret = 1) {
    return open_vault({files_, entropy_, clock_, anchor()}, root_secret(secret), settings_, create);
  }
  virtual Anchor& anchor() { return no_anchor_; }
  static Status upload(Vault& vault, const SampleModel& sample, const VersionRef& which) {
    CLOISTER_ASSIGN(auto staged, vault.stage(record_of(sample, which), sample.model()));
    return vault.commit(std::move(staged));
  }
  static void expect_holds(const Vault& vault, const SampleModel& sample, const VersionRef& which) {
    const auto opened = vault.open_version(which);
    ASSERT_TRUE(opened.ok()) << opened.error().where.text;
    EXPECT_TRUE(equal_in_constant_time(opened.value().weights.bytes(), sample.weights()));
    EXPECT_EQ(opened.value().bundle.graph, sample.model().bundle().graph);
    EXPECT_EQ(opened.value().bundle.weights, sample.model().bundle().weights);
    EXPECT_EQ(opened.value().bundle.signature, sample.model().bundle().signature);
  }

  static std::string principals_of(const Vault& vault) {
    std::string text;
    const Status read = vault.with_record("principals", [&text](Bytes content) -> Status {
      text = text_of(content);
      return Done{};
    });
    EXPECT_TRUE(read.ok());
    return text;
  }

  FaultyFiles files_;
  CountingEntropy entropy_;
  FakeClock clock_;
  NoAnchor no_anchor_;
  VaultSettings settings_;
};

}  // namespace cloister
