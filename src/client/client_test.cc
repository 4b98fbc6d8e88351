#include <gtest/gtest.h>

#include <string>

#include "client/session.h"

namespace cloister {
namespace {

TEST(ParseServerUrl, RefusesWhatIsNoHttpsServer) {
  for (const char* url : {"", "localhost", "https://", "https://:1", "https://a:0",
                          "https://a:65536", "https://a:1x", "https://a/b", "https://a:",
                          "https://[::1", "https://[]:1", "https://u@a", "https://a b",
                          "https://a?q", "https://[::1]x"}) {
    EXPECT_EQ(parse_server_url(url).error().code, Code::invalid) << url;
  }
  EXPECT_EQ(parse_server_url("http://a").error().code, Code::unverified);
}

TEST(ParseServerUrl, TakesHostAndPortApart) {
  EXPECT_EQ(parse_server_url("https://a.example").value().port, 443);
  EXPECT_EQ(parse_server_url("https://127.0.0.1:8443/").value().port, 8443);
  EXPECT_EQ(parse_server_url("https://127.0.0.1:8443").value().host, "127.0.0.1");
  const ServerUrl ipv6 = parse_server_url("https://[::1]:1").value();
  EXPECT_EQ(ipv6.host, "::1");
}

TEST(PercentEncoded, LeavesNothingThatATargetReads) {
  EXPECT_EQ(percent_encoded("a-b_c.d~1"), "a-b_c.d~1");
  EXPECT_EQ(percent_encoded("a/b?c#d%\xc3\xa9 "), "a%2Fb%3Fc%23d%25%C3%A9%20");
}

}  // namespace
}  // namespace cloister
