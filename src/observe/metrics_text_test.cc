#include "observe/metrics_text.h"

#include <gtest/gtest.h>

#include "observe/request_counters.h"

namespace cloister {
namespace {

TEST(MetricsText, LeavesNoWayOutOfALabel) {
  MetricsText text;
  text.family("cloister_test", MetricsText::Kind::gauge, "Test.");
  text.sample("model", "a\"} 1\nb\\\xff", 2);
  EXPECT_EQ(text.text(),
            "# HELP cloister_test Test.\n# TYPE cloister_test gauge\n"
            "cloister_test{model=\"a_} 1_b__\"} 2\n");
}

TEST(WriteRequestCounters, CountsByKindAndStatusAndKeepsTheHistogramRising) {
  RequestCounters counters;
  RequestFinished request;
  request.kind = RequestKind::infer;
  request.status = 200;
  request.bytes_in = 10;
  for (const int microseconds : {100, 400, 400, 20'000'000}) {
    request.took = std::chrono::microseconds(microseconds);
    counters.count(request);
  }
  request.status = 599;
  counters.count(request);
  MetricsText text;
  write_request_counters(counters, text);
  for (const char* line :
       {"cloister_requests_total{kind=\"infer\",status=\"200\"} 4\n",
        "cloister_requests_total{kind=\"infer\",status=\"500\"} 1\n",
        "cloister_received_bytes_total 50\n",
        "cloister_inference_duration_seconds_bucket{le=\"0.00025\"} 1\n",
        "cloister_inference_duration_seconds_bucket{le=\"0.0005\"} 3\n",
        "cloister_inference_duration_seconds_bucket{le=\"10\"} 3\n",
        "cloister_inference_duration_seconds_bucket{le=\"+Inf\"} 4\n",
        "cloister_inference_duration_seconds_count 4\n"}) {
    EXPECT_NE(text.text().find(line), std::string::npos) << line << text.text();
  }
}

}  // namespace
}  // namespace cloister
