#include "vault/log/sealed_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/fake_entropy.h"
#include "support/faulty_files.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

const std::string kFirstFile = "log/usage/0000000000000001";

class SealedLogTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SealedLog>> open(const std::optional<LogPosition>& anchored = {},
                                          unsigned char store = 1) {
    StoreId id{};
    id.fill(static_cast<std::byte>(store));
    return SealedLog::open({files_, entropy_, *aeads_, key(), id, "usage"}, anchored);
  }
  std::vector<std::string> reopened(const std::optional<LogPosition>& anchored = {}) {
    std::vector<std::string> texts;
    for (const ByteVector& entry : open(anchored).value()->take_entries()) {
      texts.emplace_back(text_of(entry));
    }
    return texts;
  }
  /// A log with the entries "zero", "one", "two".
  std::unique_ptr<SealedLog> three() {
    auto log = open().value();
    EXPECT_TRUE(log->restart(bytes_of("zero")).ok());
    EXPECT_TRUE(log->append(bytes_of("one")).ok());
    EXPECT_TRUE(log->append(bytes_of("two")).ok());
    return log;
  }

  static SecretBytes key() { return SecretBytes(ByteVector(32, std::byte{5})); }

  FaultyFiles files_;
  CountingEntropy entropy_;
  const std::unique_ptr<AeadMaker> aeads_ = make_aeads_openssl();
};

using Texts = std::vector<std::string>;

TEST_F(SealedLogTest, AcceptsNothingBeforeItsFirstEntryAndNothingOverlong) {
  const auto log = open().value();
  EXPECT_EQ(log->append(bytes_of("one")).error().code, Code::unavailable);
  EXPECT_EQ(log->restart({}).error().code, Code::too_large);
  ASSERT_TRUE(log->restart(bytes_of("zero")).ok());
  EXPECT_EQ(log->append(ByteVector(kLogEntryBytesMax + 1)).error().code, Code::too_large);
  EXPECT_TRUE(log->append(ByteVector(kLogEntryBytesMax)).ok());
}

TEST_F(SealedLogTest, RefusesToBeMissingOrOfAnotherStoreOrOlderThanItsAnchor) {
  const LogPosition end = three()->position();
  EXPECT_EQ(open(end, 2).error().code, Code::corrupt);
  LogPosition later = end;
  later.generation = 2;
  EXPECT_EQ(open(later).error().code, Code::corrupt);
  ASSERT_TRUE(files_.remove(kFirstFile).ok());
  EXPECT_EQ(open(end).error().code, Code::corrupt);
}

TEST_F(SealedLogTest, NeverGivesAWrongEntryAndNeverLosesAnAnchoredOne) {
  const LogPosition end = three()->position();
  const ByteVector whole = files_.contents().at(kFirstFile);
  const Texts all = {"zero", "one", "two"};
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ByteVector changed = whole;
    changed[i] ^= std::byte{1};
    for (const ByteVector& content :
         {changed, ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i))}) {
      files_.plant(kFirstFile, content);
      EXPECT_EQ(open(end).error().code, Code::corrupt) << i;
      auto lenient = open();
      if (!lenient.ok()) continue;
      const auto entries = lenient.value()->take_entries();
      ASSERT_LT(entries.size(), all.size());
      for (std::size_t e = 0; e < entries.size(); ++e) EXPECT_EQ(text_of(entries[e]), all[e]);
    }
  }
}

TEST_F(SealedLogTest, RefusesEntriesInAnotherOrder) {
  const auto log = open().value();
  ASSERT_TRUE(log->restart(bytes_of("aaa")).ok());
  const std::size_t first_end = files_.contents().at(kFirstFile).size();
  ASSERT_TRUE(log->append(bytes_of("bbb")).ok());
  const std::size_t second_end = files_.contents().at(kFirstFile).size();
  ASSERT_TRUE(log->append(bytes_of("ccc")).ok());
  ByteVector swapped = files_.contents().at(kFirstFile);
  std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(first_end),
                   swapped.begin() + static_cast<std::ptrdiff_t>(second_end),
                   swapped.begin() + static_cast<std::ptrdiff_t>(second_end));
  files_.plant(kFirstFile, swapped);
  EXPECT_EQ(reopened(), Texts{"aaa"});
}

TEST_F(SealedLogTest, KeepsItsEntriesAndGoesOnInANewFile) {
  const LogPosition end = three()->position();
  EXPECT_EQ(decode_position(encode_position(end)).value(), end);
  auto log = open(end).value();
  EXPECT_EQ(log->take_entries().size(), 3U);
  EXPECT_EQ(log->append(bytes_of("four")).error().code, Code::unavailable);
  ASSERT_TRUE(log->restart(bytes_of("sum")).ok());
  ASSERT_TRUE(log->append(bytes_of("four")).ok());
  EXPECT_EQ(reopened(end), (Texts{"sum", "four"}));
  EXPECT_EQ(reopened(log->position()), (Texts{"sum", "four"}));
  EXPECT_FALSE(files_.contents().contains(kFirstFile));
}

/// Appends until something fails; what was acknowledged.
struct Story {
  Texts acknowledged;
  Texts attempted;
  std::optional<LogPosition> anchored;
};

Story tell(FaultyFiles& files, CountingEntropy& entropy, const AeadMaker& aeads,
           SecretBytes key) {
  Story story;
  auto opened = SealedLog::open({files, entropy, aeads, std::move(key), StoreId{}, "usage"}, {});
  if (!opened.ok()) return story;
  SealedLog& log = *opened.value();
  const auto write = [&](const std::string& text, bool first) {
    if (first) {
      story.attempted.push_back(text);
      if (log.restart(bytes_of(text)).ok()) story.acknowledged = story.attempted = {text};
    } else {
      story.attempted.push_back(text);
      if (log.append(bytes_of(text)).ok()) story.acknowledged.push_back(text);
    }
  };
  write("zero", true);
  write("one", false);
  if (!story.acknowledged.empty()) story.anchored = log.position();
  write("two", false);
  write("sum", true);
  write("three", false);
  return story;
}

TEST_F(SealedLogTest, KeepsWhatWasAcknowledgedWhateverCallFailsOrIsTheLast) {
  const std::uint64_t calls = [&] {
    FaultyFiles files;
    tell(files, entropy_, *aeads_, key());
    return files.calls();
  }();
  ASSERT_GT(calls, 20U);
  for (const Fault fault :
       {Fault::fails, Fault::is_cut_short, Fault::is_last_before_power_loss}) {
    for (std::uint64_t call = 0; call < calls; ++call) {
      for (const Survival survival :
           {Survival::everything, Survival::nothing, Survival::entries_only, Survival::data_only,
            Survival::half_of_each_file}) {
        FaultyFiles files;
        files.arm(call, fault);
        const Story story = tell(files, entropy_, *aeads_, key());
        files.lose_power(survival);
        auto log = SealedLog::open({files, entropy_, *aeads_, key(), StoreId{}, "usage"},
                                   story.anchored);
        ASSERT_TRUE(log.ok()) << call;
        Texts found;
        for (const ByteVector& entry : log.value()->take_entries()) {
          found.emplace_back(text_of(entry));
        }
        const bool sum_came = std::ranges::find(found, "sum") != found.end();
        for (const std::string& text : story.acknowledged) {
          const bool kept = std::ranges::find(found, text) != found.end();
          EXPECT_TRUE(kept || sum_came) << "call " << call << " lost " << text;
        }
        ASSERT_TRUE(log.value()->restart(bytes_of("next")).ok());
      }
    }
  }
}

}  // namespace
}  // namespace cloister
