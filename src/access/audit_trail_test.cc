#include "access/audit_trail.h"

#include <gtest/gtest.h>

#include <string>

#include "support/fake_clock.h"
#include "support/memory_store.h"

namespace cloister {
namespace {

const PrincipalId kClinic{"clinic"};

AuditEvent granted(const std::string& to) {
  AuditEvent event;
  event.action = AuditAction::grant_given;
  event.actor = kClinic;
  event.model = "triage";
  event.principal = PrincipalId{to};
  return event;
}

/// What a reader of a part computes; nothing of AuditTrail's own.
Sha256Digest head_of(const AuditTrail::Part& part) {
  Sha256Digest link = part.before;
  for (const std::string& json : part.events) {
    Sha256Stream stream;
    stream.update(link);
    stream.update(bytes_of(json));
    link = stream.finish();
  }
  return link;
}

class AuditTrailTest : public testing::Test {
 protected:
  std::unique_ptr<AuditTrail> open() {
    store_.needs_restart = true;
    return AuditTrail::open(store_, clock_).value();
  }
  FakeClock clock_;
  MemoryStore store_;
};

TEST_F(AuditTrailTest, RefusesAStoreWithAnyByteCutOff) {
  const auto trail = open();
  ASSERT_TRUE(trail->record(kClinic, granted("bank")).ok());
  ASSERT_TRUE(trail->record(kClinic, granted("lab")).ok());
  const MemoryStore whole = store_;
  for (std::size_t entry = 0; entry < whole.entries.size(); ++entry) {
    for (std::size_t size = 0; size < whole.entries[entry].size(); ++size) {
      MemoryStore cut = whole;
      cut.entries[entry].resize(size);
      const auto opened = AuditTrail::open(cut, clock_);
      ASSERT_FALSE(opened.ok()) << entry << " " << size;
    }
  }
}

TEST_F(AuditTrailTest, ShowsEveryChangedLostAndMovedEventByTheHead) {
  const auto trail = open();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(trail->record(kClinic, granted(name)).ok());
  }
  const AuditTrail::Part part = trail->part_of(kClinic, 0).value();
  EXPECT_EQ(head_of(part), part.head);
  AuditTrail::Part changed = part;
  changed.events[1].back() = ' ';
  EXPECT_NE(head_of(changed), part.head);
  AuditTrail::Part shorter = part;
  shorter.events.pop_back();
  EXPECT_NE(head_of(shorter), part.head);
  AuditTrail::Part moved = part;
  std::swap(moved.events[0], moved.events[1]);
  EXPECT_NE(head_of(moved), part.head);
}

TEST_F(AuditTrailTest, KeepsWhatWasRecordedThroughEveryFailedWriteAndEveryRestart) {
  using Next = MemoryStore::Next;
  for (const Next next : {Next::fails_and_is_lost, Next::fails_and_is_kept}) {
    store_ = MemoryStore();
    auto trail = open();
    ASSERT_TRUE(trail->record(kClinic, granted("a")).ok());
    store_.next = next;
    // The append fails; the sum that replaces it does not.
    EXPECT_TRUE(trail->record(kClinic, granted("b")).ok());
    EXPECT_TRUE(trail->record(kClinic, granted("c")).ok());
    const AuditTrail::Part before = trail->part_of(kClinic, 0).value();
    EXPECT_EQ(before.count, 3U);
    trail = open();
    const AuditTrail::Part after = trail->part_of(kClinic, 0).value();
    EXPECT_EQ(after.events, before.events);
    EXPECT_EQ(after.head, before.head);
  }
}

TEST_F(AuditTrailTest, StatesNothingThatIsNotDurable) {
  const auto trail = open();
  store_.next = MemoryStore::Next::fails_and_is_lost;
  EXPECT_EQ(trail->record(kClinic, granted("a")).error().code, Code::io);
  store_.next = MemoryStore::Next::fails_and_is_lost;
  EXPECT_EQ(trail->part_of(kClinic, 0).error().code, Code::io);
  EXPECT_EQ(trail->part_of(kClinic, 0).value().count, 1U);
  EXPECT_EQ(open()->part_of(kClinic, 0).value().count, 1U);
}

TEST_F(AuditTrailTest, RefusesWhatWouldNotFitItsLog) {
  const auto trail = open();
  EXPECT_EQ(trail->record(kClinic, granted(std::string(600, 'x'))).error().code, Code::too_large);
  for (std::size_t i = 0; i < kAuditChainsMax; ++i) {
    ASSERT_TRUE(trail->record({"o" + std::to_string(i)}, granted("a")).ok());
  }
  EXPECT_EQ(trail->record(kClinic, granted("a")).error().code, Code::too_large);
  EXPECT_TRUE(trail->record({"o1"}, granted("b")).ok());
  EXPECT_EQ(open()->part_of({"o1"}, 0).value().count, 2U);
}

TEST_F(AuditTrailTest, RecordsADenialAndNotItsRepetitions) {
  const auto trail = open();
  AuditEvent denied = granted("");
  denied.outcome = AuditOutcome::denied;
  denied.actor = {"bank"};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(trail->record(kClinic, denied).ok());
  EXPECT_EQ(trail->part_of(kClinic, 0).value().count, 1U);
  denied.actor = {"lab"};
  ASSERT_TRUE(trail->record(kClinic, denied).ok());
  denied.version = VersionNumber{2};
  ASSERT_TRUE(trail->record(kClinic, denied).ok());
  ASSERT_TRUE(trail->record({"other"}, denied).ok());
  EXPECT_EQ(trail->part_of(kClinic, 0).value().count, 3U);
  clock_.advance(kRefusedEvery);
  ASSERT_TRUE(trail->record(kClinic, denied).ok());
  EXPECT_EQ(trail->part_of(kClinic, 0).value().count, 4U);
}

TEST_F(AuditTrailTest, WritesADenialThatItCouldNotWriteBefore) {
  const auto trail = open();
  AuditEvent denied = granted("");
  denied.outcome = AuditOutcome::denied;
  store_.next = MemoryStore::Next::fails_and_is_lost;
  EXPECT_FALSE(trail->record(kClinic, denied).ok());
  EXPECT_TRUE(trail->record(kClinic, denied).ok());
  EXPECT_GE(open()->part_of(kClinic, 0).value().count, 1U);
}

TEST_F(AuditTrailTest, KeepsOwnersApart) {
  const auto trail = open();
  ASSERT_TRUE(trail->record(kClinic, granted("a")).ok());
  EXPECT_TRUE(trail->part_of({"other"}, 0).value().events.empty());
  EXPECT_NE(trail->part_of({"other"}, 0).value().head,
            trail->part_of(kServerChain, 0).value().head);
  ASSERT_TRUE(trail->forget(kClinic).ok());
  EXPECT_EQ(open()->part_of(kClinic, 0).value().count, 0U);
}

TEST_F(AuditTrailTest, DropsTheOldestOfAFullChainAndGoesOnFromItsLink) {
  const auto trail = open();
  for (std::size_t i = 0; i < kAuditEventsPerChainMax; ++i) {
    ASSERT_TRUE(trail->record(kClinic, granted("a")).ok());
  }
  const AuditTrail::Part full = trail->part_of(kClinic, 0).value();
  EXPECT_EQ(full.first, 1U);
  ASSERT_TRUE(trail->record(kClinic, granted("b")).ok());
  const AuditTrail::Part later = trail->part_of(kClinic, 0).value();
  EXPECT_EQ(later.first, 2U);
  EXPECT_EQ(later.count, kAuditEventsPerChainMax + 1);
  EXPECT_EQ(head_of(later), later.head);
  const AuditTrail::Part last = trail->part_of(kClinic, full.count).value();
  EXPECT_EQ(last.before, full.head);
  EXPECT_EQ(last.events.size(), 1U);
  EXPECT_EQ(head_of(last), later.head);
  EXPECT_TRUE(trail->part_of(kClinic, 1'000'000).value().events.empty());
}

TEST_F(AuditTrailTest, MakesOneEventOfManyRefusalsAndNotTooOften) {
  const auto trail = open();
  ASSERT_TRUE(trail->flush().ok());
  EXPECT_EQ(trail->part_of(kServerChain, 0).value().count, 0U);
  for (int i = 0; i < 5; ++i) trail->count_refused();
  ASSERT_TRUE(trail->flush().ok());
  trail->count_refused();
  ASSERT_TRUE(trail->flush().ok());
  const auto events = trail->part_of(kServerChain, 0).value().events;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].find("\"action\":\"refused-authentications\""), std::string::npos);
  EXPECT_NE(events[0].find("\"count\":5"), std::string::npos);
  clock_.advance(kRefusedEvery);
  ASSERT_TRUE(trail->flush().ok());
  EXPECT_EQ(trail->part_of(kServerChain, 0).value().count, 2U);
}

}  // namespace
}  // namespace cloister
