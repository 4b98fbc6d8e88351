#include "client/tls/request_text.h"

#include <gtest/gtest.h>

#include <string>

namespace cloister {
namespace {

TEST(HostHeader, NamesThePortUnlessItIsTheUsualOne) {
  EXPECT_EQ(host_header({"::1", 1}), "[::1]:1");
  EXPECT_EQ(host_header({"a.example", 443}), "a.example");
}

TEST(RequestText, RefusesWhatCouldEndALine) {
  EXPECT_FALSE(request_text({"GET", "/a\r\nb: c", {}}, "h", 0).ok());
  EXPECT_FALSE(request_text({"GET", "/a b", {}}, "h", 0).ok());
  EXPECT_FALSE(request_text({"GET", "a", {}}, "h", 0).ok());
  EXPECT_FALSE(request_text({"GET", "/", {{"n", "v\r\nx: y"}}}, "h", 0).ok());
  EXPECT_FALSE(request_text({"GET", "/", {{"n\n", "v"}}}, "h", 0).ok());
}

TEST(RequestText, AsksBeforeALargeBodyOnly) {
  EXPECT_EQ(request_text({"GET", "/v2", {{"a", "b"}}}, "h:1", 0).value(),
            "GET /v2 HTTP/1.1\r\nhost: h:1\r\na: b\r\n\r\n");
  EXPECT_EQ(request_text({"POST", "/v2", {}}, "h", 0).value(),
            "POST /v2 HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
  const std::string large = request_text({"PUT", "/v2", {}}, "h", kUnaskedBytesMax + 1).value();
  EXPECT_NE(large.find("expect: 100-continue\r\n"), std::string::npos);
  EXPECT_EQ(request_text({"POST", "/v2", {}}, "h", std::nullopt).value(),
            "POST /v2 HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\n"
            "transfer-encoding: chunked\r\n\r\n");
}

}  // namespace
}  // namespace cloister
