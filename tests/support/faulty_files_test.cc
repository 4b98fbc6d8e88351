#include "support/faulty_files.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/fake_entropy.h"

namespace cloister {
namespace {

/// Replaces `kept` by "second" as a careful program does; stops at the first failure.
Status replace(Files& files) {
  CLOISTER_ASSIGN(auto file, files.create("new"));
  CLOISTER_TRY(file->write_at(0, bytes_of("second")));
  CLOISTER_TRY(file->sync());
  CLOISTER_TRY(files.rename("new", "kept"));
  return files.sync_folder("");
}

std::string text_at(const FaultyFiles& files, const std::string& path) {
  const auto contents = files.contents();
  const auto found = contents.find(path);
  return found == contents.end() ? "absent" : std::string(text_of(found->second));
}

TEST(FaultyFiles, FailsEveryCallInTurn) {
  constexpr std::uint64_t kCalls = 5;
  for (const Fault fault : {Fault::fails, Fault::is_cut_short}) {
    for (std::uint64_t call = 0; call < kCalls; ++call) {
      FaultyFiles files;
      files.plant("kept", copy_of(bytes_of("first")));
      files.arm(call, fault);
      EXPECT_EQ(replace(files).error().code, Code::io) << call;
      EXPECT_EQ(files.calls(), call + 1);
    }
  }
}

TEST(FaultyFiles, FailsEverythingAfterAPowerLossUntilItReturns) {
  FaultyFiles files;
  files.arm(0, Fault::is_last_before_power_loss);
  auto file = files.create("a");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.value()->write_at(0, bytes_of("x")).error().code, Code::io);
  EXPECT_EQ(files.list("").error().code, Code::io);
  files.lose_power(Survival::everything);
  EXPECT_EQ(files.list("").value().size(), 1U);
  EXPECT_EQ(file.value()->size().error().code, Code::io);
}

TEST(FaultyFiles, LeavesWhatTheSurvivalSays) {
  const auto after = [](Survival survival, const std::string& path) {
    FaultyFiles files;
    files.plant("kept", copy_of(bytes_of("first")));
    auto file = files.create("new").value();
    EXPECT_TRUE(file->write_at(0, bytes_of("second")).ok());
    EXPECT_TRUE(files.rename("new", "kept").ok());
    files.lose_power(survival);
    return text_at(files, path);
  };
  EXPECT_EQ(after(Survival::everything, "kept"), "second");
  EXPECT_EQ(after(Survival::nothing, "kept"), "first");
  EXPECT_EQ(after(Survival::entries_only, "kept"), "");
  EXPECT_EQ(after(Survival::data_only, "kept"), "first");
  EXPECT_EQ(after(Survival::half_of_each_file, "kept"), std::string("sec\0\0\0", 6));
  EXPECT_EQ(after(Survival::nothing, "new"), "absent");
}

TEST(FaultyFiles, KeepsWhatWasSyncedInEverySurvival) {
  for (const auto survival : {Survival::everything, Survival::nothing, Survival::entries_only,
                              Survival::data_only, Survival::half_of_each_file}) {
    FaultyFiles files;
    files.plant("kept", copy_of(bytes_of("first")));
    ASSERT_TRUE(replace(files).ok());
    files.lose_power(survival);
    EXPECT_EQ(text_at(files, "kept"), "second");
    EXPECT_EQ(text_at(files, "new"), "absent");
  }
}

TEST(FaultyFiles, RefusesWhatTheHostsFilesRefuse) {
  FaultyFiles files;
  files.plant("folder/file", {});
  files.plant_kind("link", FileKind::link);
  EXPECT_EQ(files.open_for_reading("../x").error().code, Code::invalid);
  EXPECT_EQ(files.open_for_reading("link").error().code, Code::corrupt);
  EXPECT_EQ(files.open_for_reading("absent").error().code, Code::not_found);
  EXPECT_EQ(files.create("folder/file").error().code, Code::conflict);
  EXPECT_EQ(files.make_folder("link").error().code, Code::corrupt);
  EXPECT_EQ(files.list("link").error().code, Code::corrupt);
  EXPECT_EQ(files.remove("folder").error().code, Code::corrupt);
  ByteVector one(1);
  EXPECT_EQ(files.open_for_reading("folder/file").value()->read_at(0, one).error().code,
            Code::corrupt);
}

TEST(FaultyFiles, HoldsALockUntilItIsDroppedOrThePowerFails) {
  FaultyFiles files;
  auto held = files.lock("lock");
  EXPECT_EQ(files.lock("lock").error().code, Code::conflict);
  held.value().reset();
  auto again = files.lock("lock");
  ASSERT_TRUE(again.ok());
  files.lose_power(Survival::everything);
  auto after = files.lock("lock");
  EXPECT_TRUE(after.ok());
  again.value().reset();
  EXPECT_EQ(files.lock("lock").error().code, Code::conflict);
}

TEST(FaultyFiles, RemembersWhatWasWrittenToFilesThatAreGone) {
  FaultyFiles files;
  ASSERT_TRUE(files.create("a").value()->write_at(0, bytes_of("trace")).ok());
  ASSERT_TRUE(files.remove("a").ok());
  ASSERT_EQ(files.writes().size(), 1U);
  EXPECT_EQ(text_of(files.writes()[0]), "trace");
}

TEST(CountingEntropy, FailsAtTheCallItIsToldAndRepeatsItselfWithTheSameSeed) {
  CountingEntropy machine(7);
  CountingEntropy clone(7);
  machine.fail_at(1);
  ByteVector first(33);
  ByteVector second(33);
  ASSERT_TRUE(machine.fill(first).ok());
  ASSERT_TRUE(clone.fill(second).ok());
  EXPECT_EQ(first, second);
  EXPECT_EQ(machine.fill(first).error().code, Code::io);
  EXPECT_EQ(machine.calls(), 2U);
}

TEST(RecordedEntropy, FailsWhenItsRecordingEnds) {
  RecordedEntropy entropy(copy_of(bytes_of("abc")));
  ByteVector two(2);
  ASSERT_TRUE(entropy.fill(two).ok());
  EXPECT_EQ(text_of(two), "ab");
  EXPECT_EQ(entropy.fill(two).error().code, Code::io);
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock;
  const auto start = clock.utc();
  clock.advance(std::chrono::milliseconds(2500));
  EXPECT_EQ(clock.utc() - start, std::chrono::seconds(2));
  clock.set_utc(start - std::chrono::hours(1));
  EXPECT_LT(clock.utc(), start);
}

}  // namespace
}  // namespace cloister
