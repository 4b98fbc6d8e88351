#include "serving/batcher.h"

#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <numeric>

#include "base/posix/posix_clock.h"
#include "serving/batch_run.h"

namespace cloister {
namespace {

using std::chrono::seconds;

/// A model that adds 1 to each of its floats, and remembers the sizes of its runs.
class FakeModel {
 public:
  RunModel run_model() {
    return [this](const VersionRecord&, const std::vector<NamedTensorView>& inputs,
                  const std::vector<std::string>&, RunControl&) -> Result<BatchOutputs> {
      const TensorView& input = inputs.front().tensor;
      auto values = std::make_shared<std::vector<float>>(input.data.size() / sizeof(float));
      std::memcpy(values->data(), input.data.data(), input.data.size());
      {
        const MutexLock lock(mutex_);
        runs_.push_back(input.shape.front());
        while (held_) released_.wait(mutex_);
      }
      const bool bad = std::find(values->begin(), values->end(), -1.0F) != values->end();
      if (bad) return Error{Code::internal, "fake.value"};
      for (float& each : *values) each += 1;
      Shape shape = input.shape;
      if (shrinks_) shape.front() = 1;
      return BatchOutputs{{{"y", {DType::f32, shape, std::as_bytes(std::span(*values))}}}, values};
    };
  }
  void hold(bool held) {
    const MutexLock lock(mutex_);
    held_ = held;
    released_.notify_all();
  }
  void shrink() { shrinks_ = true; }
  std::vector<std::uint64_t> runs() {
    const MutexLock lock(mutex_);
    return runs_;
  }

 private:
  Mutex mutex_;
  Signal released_;
  std::vector<std::uint64_t> runs_ GUARDED_BY(mutex_);
  bool held_ GUARDED_BY(mutex_) = false;
  std::atomic<bool> shrinks_{false};
};

/// One request of `rows` rows of one float each, and its answer to come.
class FakeRequest {
 public:
  FakeRequest(float value, std::uint64_t rows = 1) : values_(rows, value) {}
  BatchRequest make(const char* whose = "a", std::uint64_t priority = 0) {
    static const auto record = std::make_shared<const VersionRecord>();
    BatchRequest request;
    request.record = record;
    request.inputs = {{"x", {DType::f32, {values_.size()}, std::as_bytes(std::span(values_))}}};
    request.whose = PrincipalId{whose};
    request.rows = values_.size();
    request.priority = priority;
    request.deadline = std::chrono::steady_clock::now() + seconds(60);
    request.gone = gone_;
    request.done = [this](Result<BatchShare> share) { answer_.set_value(std::move(share)); };
    return request;
  }
  void leave() { gone_->store(1); }
  Result<BatchShare> wait() { return answer_.get_future().get(); }
  std::vector<float> values() {
    const auto share = wait();
    if (!share.ok()) return {};
    const Bytes data = share.value().outputs.front().tensor.data;
    std::vector<float> values(data.size() / sizeof(float));
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  }

 private:
  std::vector<float> values_;
  std::shared_ptr<std::atomic<std::uint32_t>> gone_ =
      std::make_shared<std::atomic<std::uint32_t>>(0);
  std::promise<Result<BatchShare>> answer_;
};

ModelOptions options_of(std::uint64_t batch_max, std::uint64_t delay_seconds = 60) {
  ModelOptions options;
  options.batch_max = batch_max;
  options.queue_delay_microseconds_max = delay_seconds * 1'000'000;
  return options;
}

struct Bench {
  PosixClock clock;
  FakeModel model;
  Statistics statistics;
  JobQueue runs{2, 64};
  Batcher batcher{{model.run_model(), statistics, clock, runs}};
};

TEST(Batcher, FailsWhatWaitsWhenItStops) {
  Bench bench;
  FakeRequest request(1);
  bench.batcher.add(request.make(), options_of(4));
  bench.batcher.stop();
  EXPECT_EQ(request.wait().error().code, Code::unavailable);
  FakeRequest late(1);
  bench.batcher.add(late.make(), options_of(4));
  EXPECT_EQ(late.wait().error().code, Code::unavailable);
}

TEST(Batcher, FailsARequestAtItsDeadlineThoughItsBatchDoesNotFill) {
  Bench bench;
  FakeRequest request(1);
  BatchRequest made = request.make();
  made.deadline = bench.clock.steady();
  bench.batcher.add(std::move(made), options_of(4));
  EXPECT_EQ(request.wait().error().code, Code::deadline);
  EXPECT_TRUE(bench.model.runs().empty());
}

TEST(Batcher, NeverPutsPrincipalsTogetherUnlessTheOwnerAllowsIt) {
  Bench bench;
  FakeRequest mine(1);
  FakeRequest theirs(2);
  FakeRequest more(3);
  bench.batcher.add(mine.make("a"), options_of(2));
  bench.batcher.add(theirs.make("b"), options_of(2));
  EXPECT_TRUE(bench.model.runs().empty());
  bench.batcher.add(more.make("a"), options_of(2));
  EXPECT_EQ(mine.values(), std::vector<float>{2});
  EXPECT_EQ(more.values(), std::vector<float>{4});
  EXPECT_EQ(bench.model.runs(), std::vector<std::uint64_t>{2});

  ModelOptions across = options_of(2);
  across.batch_across_principals = true;
  FakeRequest one(5);
  FakeRequest other(6);
  bench.batcher.add(one.make("a"), across);
  bench.batcher.add(other.make("b"), across);
  EXPECT_EQ(one.values(), std::vector<float>{6});
  EXPECT_EQ(other.values(), std::vector<float>{7});
  EXPECT_EQ(bench.model.runs(), (std::vector<std::uint64_t>{2, 2}));
  bench.batcher.stop();  // while the request that still waits is there
}

TEST(Batcher, GivesEachRequestItsOwnRows) {
  Bench bench;
  FakeRequest first(1, 3);
  FakeRequest second(5, 1);
  FakeRequest third(7, 2);
  for (FakeRequest* each : {&first, &second, &third}) {
    bench.batcher.add(each->make(), options_of(6));
  }
  EXPECT_EQ(first.values(), (std::vector<float>{2, 2, 2}));
  EXPECT_EQ(second.values(), std::vector<float>{6});
  EXPECT_EQ(third.values(), (std::vector<float>{8, 8}));
  EXPECT_EQ(bench.model.runs(), std::vector<std::uint64_t>{6});
}

TEST(Batcher, RunsOneByOneWhatFailsTogether) {
  Bench bench;
  FakeRequest good(1);
  FakeRequest bad(-1);
  bench.batcher.add(good.make(), options_of(2));
  bench.batcher.add(bad.make(), options_of(2));
  EXPECT_EQ(good.values(), std::vector<float>{2});
  EXPECT_EQ(bad.wait().error().code, Code::internal);
  EXPECT_EQ(bench.model.runs(), (std::vector<std::uint64_t>{2, 1, 1}));
}

TEST(Batcher, RunsOneByOneWhereOutputsHaveNoRowForEachRequest) {
  Bench bench;
  bench.model.shrink();
  FakeRequest first(1);
  FakeRequest second(2);
  bench.batcher.add(first.make(), options_of(2));
  bench.batcher.add(second.make(), options_of(2));
  EXPECT_EQ(first.values(), std::vector<float>{2});
  EXPECT_EQ(second.values(), std::vector<float>{3});
}

TEST(Batcher, GathersTheNextBatchWhileOneRunsAndTakesItByPriority) {
  Bench bench;
  bench.model.hold(true);
  FakeRequest first(1);
  bench.batcher.add(first.make(), options_of(3, 0));
  while (bench.model.runs().empty()) std::this_thread::yield();
  FakeRequest low(2);
  FakeRequest gone(3);
  FakeRequest high(4);
  bench.batcher.add(low.make("a"), options_of(3, 0));
  bench.batcher.add(gone.make("a"), options_of(3, 0));
  gone.leave();
  bench.model.hold(false);
  EXPECT_EQ(first.values(), std::vector<float>{2});
  EXPECT_EQ(low.values(), std::vector<float>{3});
  EXPECT_EQ(gone.wait().error().code, Code::deadline);
  bench.batcher.add(high.make("a", 1), options_of(3, 0));
  EXPECT_EQ(high.values(), std::vector<float>{5});
  for (const std::uint64_t each : bench.model.runs()) EXPECT_EQ(each, 1U);
}

TEST(Batcher, GoesAtAPreferredSizeBeforeTheDelayIsOver) {
  Bench bench;
  ModelOptions options = options_of(8);
  options.preferred_sizes = {2};
  FakeRequest first(1);
  FakeRequest second(2);
  bench.batcher.add(first.make(), options);
  bench.batcher.add(second.make(), options);
  EXPECT_EQ(first.values(), std::vector<float>{2});
  EXPECT_EQ(second.values(), std::vector<float>{3});
  EXPECT_EQ(bench.model.runs(), std::vector<std::uint64_t>{2});
}

}  // namespace
}  // namespace cloister
