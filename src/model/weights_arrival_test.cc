#include "model/weights_arrival.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

TEST(WeightsArrival, CountsOnlyWhatIsThereInOrder) {
  std::atomic<std::uint32_t> word{7};
  WeightsArrival arrival(word, 3 * kArrivalStep - 1);
  EXPECT_EQ(word, 0U);
  arrival.arrived(1);
  EXPECT_EQ(word, 0U) << "the first step is missing";
  arrival.arrived(0);
  EXPECT_EQ(word, 2U);
  arrival.arrived(2);
  EXPECT_EQ(word, 3U);
  arrival.finish(Done{});
  EXPECT_EQ(word, 3U);
  EXPECT_TRUE(arrival.wait().ok());
}

TEST(WeightsArrival, SaysThatNoMoreWillComeAfterAFailure) {
  std::atomic<std::uint32_t> word{0};
  WeightsArrival arrival(word, 2 * kArrivalStep);
  arrival.arrived(0);
  arrival.finish(Error{Code::corrupt, "test"});
  EXPECT_EQ(word, kArrivalFailed);
  EXPECT_EQ(arrival.wait().error().code, Code::corrupt);
}

}  // namespace
}  // namespace cloister
