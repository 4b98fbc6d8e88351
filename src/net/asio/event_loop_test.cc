#include "net/asio/event_loop.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace cloister {
namespace {

/// Runs a loop whose first task is `begin`, until a task closes it.
void run(EventLoop& loop, std::function<void()> begin) {
  ASSERT_TRUE(loop.post(std::move(begin)));
  std::jthread([&] { loop.run(); }).join();
  loop.drain();
}

TEST(EventLoop, RefusesTasksOnceClosed) {
  const auto loop = make_event_loop([] {}).value();
  loop->close();
  EXPECT_FALSE(loop->post([] { FAIL(); }));
  EXPECT_FALSE(loop->post_patiently([] { FAIL(); }));
  loop->drain();
}

TEST(EventLoop, DropsPatientTasksThatAreLeftWhenItEnds) {
  const auto loop = make_event_loop([] {}).value();
  const auto held = std::make_shared<int>();
  run(*loop, [&] {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(loop->post_patiently([held] { FAIL(); }));
    loop->close();
  });
  EXPECT_EQ(held.use_count(), 1) << "what a task holds may hold the loop";
}

TEST(EventLoop, DoesWhatIsDueBetweenTwoPatientTasks) {
  const auto loop = make_event_loop([] {}).value();
  std::string order;
  run(*loop, [&] {
    for (const char name : {'a', 'b', 'c'}) {
      loop->post_patiently([&, name] {
        order += name;
        loop->post([&] { order += '.'; });
        if (name == 'c') loop->post([&] { loop->close(); });
      });
    }
    loop->post([&] { order += '-'; });
  });
  EXPECT_EQ(order, "-a.b.c.");
}

TEST(EventLoop, GoesOnAfterAPatientTaskThatThrows) {
  const auto loop = make_event_loop([] {}).value();
  bool reached = false;
  run(*loop, [&] {
    loop->post_patiently([] { throw 1; });
    loop->post_patiently([&] {
      reached = true;
      loop->close();
    });
  });
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace cloister
