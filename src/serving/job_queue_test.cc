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

TEST(JobQueue, FinishesEveryAcceptedJobBeforeItStops) {
  std::atomic<int> done{0};
  int accepted = 0;
  {
    JobQueue queue(2, 1000);
    for (int i = 0; i < 500; ++i) {
      if (queue.push([&done] { ++done; }).ok()) ++accepted;
    }
  }
  EXPECT_EQ(done.load(), accepted);
  EXPECT_EQ(accepted, 500);
}

TEST(JobQueue, RunsJobsOfOneThreadInOrder) {
  std::vector<int> seen;
  {
    JobQueue queue(1, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(queue.push([&seen, i] { seen.push_back(i); }).ok());
    }
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace cloister
