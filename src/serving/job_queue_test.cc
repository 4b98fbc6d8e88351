#include "serving/job_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace cloister {
namespace {

TEST(JobQueue, RefusesPastItsBoundAndAfterStop) {
  JobQueue queue(1, 1);
  std::promise<void> started;
  std::promise<void> go;
  ASSERT_TRUE(queue
                  .push([&] {
                    started.set_value();
                    go.get_future().wait();
                  })
                  .ok());
  started.get_future().wait();
  ASSERT_TRUE(queue.push([] {}).ok());
  EXPECT_EQ(queue.push([] {}).error().code, Code::busy);
  EXPECT_EQ(queue.waiting(), 1U);
  go.set_value();
  queue.stop();
  EXPECT_EQ(queue.push([] {}).error().code, Code::unavailable);
}

TEST(JobQueue, PreparesEachThreadBeforeItsFirstJob) {
  static thread_local bool prepared = false;
  std::atomic<int> count{0};
  std::promise<bool> seen;
  JobQueue queue(2, 4, 1, [&] {
    prepared = true;
    ++count;
  });
  ASSERT_TRUE(queue.push([&] { seen.set_value(prepared); }).ok());
  EXPECT_TRUE(seen.get_future().get());
  queue.stop();
  EXPECT_EQ(count, 3);
}

TEST(JobQueue, RefusesMoreThanHalfItsRoomToOnePrincipal) {
  JobQueue queue(1, 4);
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  std::promise<void> started;
  ASSERT_TRUE(queue.push([&started, gone] {
    started.set_value();
    gone.wait();
  }, "greedy").ok());
  started.get_future().wait();
  EXPECT_TRUE(queue.push([] {}, "greedy").ok());
  EXPECT_TRUE(queue.push([] {}, "greedy").ok());
  EXPECT_EQ(queue.push([] {}, "greedy").error().code, Code::busy);
  EXPECT_TRUE(queue.push([] {}, "other").ok());
  EXPECT_TRUE(queue.push([] {}).ok());
  go.set_value();
}

TEST(JobQueue, LetsPrincipalsTakeTurns) {
  std::string seen;
  std::promise<void> go;
  std::promise<void> last;
  JobQueue queue(1, 100);
  ASSERT_TRUE(queue.push([&go] { go.get_future().wait(); }, "a").ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.push([&seen] { seen += 'a'; }, "a").ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.push([&seen] { seen += 'b'; }, "b").ok());
  ASSERT_TRUE(queue.push([&last] { last.set_value(); }, "b").ok());
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(seen, "bababa");
}

TEST(JobQueue, KeepsASlotForThosePrincipalsWhoHaveNone) {
  JobQueue queue(1, 100, 1);
  std::promise<void> go;
  std::promise<void> served;
  ASSERT_TRUE(queue.push([&go] { go.get_future().wait(); }, "slow").ok());
  std::atomic<bool> second{false};
  ASSERT_TRUE(queue.push([&second] { second = true; }, "slow").ok());
  ASSERT_TRUE(queue.push([&served] { served.set_value(); }, "quick").ok());
  served.get_future().wait();
  EXPECT_FALSE(second);
  go.set_value();
}

TEST(JobQueue, BeginsJobsThatWereNotAnnouncedOnceItIsToldToOrManyWait) {
  JobQueue queue(2, 1000);
  for (const int jobs : {1, 100}) {
    std::promise<void> last;
    std::atomic<int> left{jobs};
    const auto job = [&] {
      if (left.fetch_sub(1) == 1) last.set_value();
    };
    for (int i = 0; i < jobs; ++i) {
      ASSERT_TRUE(queue.push(job, "a", JobQueue::Wake::later).ok());
    }
    queue.wake();
    last.get_future().wait();
  }
  std::promise<void> eighth;
  for (int i = 1; i < 8; ++i) ASSERT_TRUE(queue.push([] {}, "a", JobQueue::Wake::later).ok());
  ASSERT_TRUE(queue.push([&] { eighth.set_value(); }, "a", JobQueue::Wake::later).ok());
  eighth.get_future().wait();
}

TEST(JobQueue, WakesAsManyThreadsAsThereIsWorkFor) {
  JobQueue queue(3, 100);
  std::promise<void> all;
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> begun{0};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(queue.push([&, gone] {
      if (begun.fetch_add(1) == 2) all.set_value();
      gone.wait();
    }).ok());
  }
  all.get_future().wait();  // each of them holds a thread: three were woken
  go.set_value();
}

TEST(JobQueue, DropsWaitingJobsAndFinishesRunningOnesWhenItStops) {
  std::atomic<bool> finished{false};
  std::atomic<bool> waited{false};
  const auto held = std::make_shared<int>(1);
  std::promise<void> started;
  std::promise<void> go;
  {
    JobQueue queue(1, 10);
    ASSERT_TRUE(queue
                    .push([&] {
                      started.set_value();
                      go.get_future().wait();
                      finished = true;
                    })
                    .ok());
    started.get_future().wait();
    ASSERT_TRUE(queue.push([&waited, held] { waited = true; }).ok());
    EXPECT_EQ(held.use_count(), 2);
    std::jthread stopper([&queue] { queue.stop(); });
    while (held.use_count() == 2) std::this_thread::yield();
    go.set_value();
  }
  EXPECT_TRUE(finished);
  EXPECT_FALSE(waited);
}

TEST(JobQueue, GoesOnAfterAJobThatThrows) {
  std::promise<void> later;
  JobQueue queue(1, 10);
  ASSERT_TRUE(queue.push([] { throw std::bad_alloc(); }).ok());
  ASSERT_TRUE(queue.push([&later] { later.set_value(); }).ok());
  later.get_future().wait();
}

TEST(JobQueue, RunsJobsOfOneThreadInOrder) {
  std::vector<int> seen;
  std::promise<void> last;
  JobQueue queue(1, 101);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue.push([&seen, i] { seen.push_back(i); }).ok());
  }
  ASSERT_TRUE(queue.push([&last] { last.set_value(); }).ok());
  last.get_future().wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace cloister
