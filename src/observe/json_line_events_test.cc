#include "observe/json_line_events.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

constexpr UtcSeconds kNow{std::chrono::seconds{1700000000}};

struct FixedClock final : Clock {
  UtcSeconds utc() const noexcept override { return kNow; }
  SteadyTime steady() const noexcept override { return {}; }
};

TEST(JsonLine, NamesCodeAndPlaceOfAFailure) {
  EXPECT_EQ(json_line(OperationFailed{Code::io, "vault.write"}, kNow),
            R"({"event":"operation_failed","utc":1700000000,"code":"io","where":"vault.write"})");
}

TEST(JsonLine, HoldsEveryFieldOfARequest) {
  const RequestFinished event{7, RequestKind::infer, 200, 602112, 4000,
                              std::chrono::microseconds{1500}};
  EXPECT_EQ(json_line(event, kNow),
            R"({"event":"request_finished","utc":1700000000,"connection":7,"kind":"infer",)"
            R"("status":200,"bytes_in":602112,"bytes_out":4000,"took_us":1500})");
}

TEST(JsonLineEvents, WritesOneLineForEachEvent) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const FixedClock clock;
  JsonLineEvents events(clock, file);
  events.record(ServerStarted{8443, 2});
  events.record(ServerStopped{std::chrono::milliseconds{5}});
  std::rewind(file);
  char text[512] = {};
  const std::size_t size = std::fread(text, 1, sizeof text, file);
  std::fclose(file);
  EXPECT_EQ(std::string(text, size),
            "{\"event\":\"server_started\",\"utc\":1700000000,\"port\":8443,\"models\":2}\n"
            "{\"event\":\"server_stopped\",\"utc\":1700000000,\"took_us\":5000}\n");
}

}  // namespace
}  // namespace cloister
