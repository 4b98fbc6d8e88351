#include "proxy/local_request.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/local_socket.h"
#include "proxy/proxy.h"

namespace cloister {
namespace {

const std::vector<std::string> kNames{"localhost:8000", "127.0.0.1:8000"};

std::variant<LocalRequest, LocalRefusal> read(const std::string& line, const std::string& headers) {
  return read_local_request(bytes_of(line + "\r\n" + headers + "\r\n"), kNames);
}

int refused(const std::string& line, const std::string& headers = "host: localhost:8000\r\n") {
  const auto result = read(line, headers);
  const LocalRefusal* refusal = std::get_if<LocalRefusal>(&result);
  return refusal == nullptr ? 0 : refusal->status;
}

LocalRequest accepted(const std::string& line, const std::string& headers) {
  return std::get<LocalRequest>(read(line, headers));
}

TEST(ReadLocalRequest, RefusesAnotherHost) {
  for (const char* host : {"a.example", "a.example:8000", "localhost", "127.0.0.1:80",
                           "localhost:8000.a.example", "localhost:8000:8000", "[::1]:8000", ""}) {
    EXPECT_EQ(refused("GET /v2 HTTP/1.1", "host: " + std::string(host) + "\r\n"), 403) << host;
  }
  EXPECT_EQ(refused("GET /v2 HTTP/1.1", ""), 400);
  EXPECT_EQ(refused("GET /v2 HTTP/1.0", ""), 403);
  EXPECT_EQ(refused("GET /v2 HTTP/1.1", "host: localhost:8000\r\nhost: localhost:8000\r\n"), 400);
}

TEST(ReadLocalRequest, RefusesWhatAWebPageSends) {
  const std::string host = "host: localhost:8000\r\n";
  for (const char* header : {"origin: https://a.example", "origin: null", "origin: ",
                             "origin: http://localhost:8000", "referer: https://a.example/",
                             "sec-fetch-site: cross-site", "sec-fetch-site: same-site",
                             "Sec-Fetch-Site: same-origin"}) {
    EXPECT_EQ(refused("POST /v2 HTTP/1.1", host + header + "\r\n"), 403) << header;
  }
}

TEST(ReadLocalRequest, RefusesTargetsThatAreNoPlainPathBelowV2) {
  EXPECT_EQ(refused("GET http://localhost:8000/v2 HTTP/1.1"), 400);
  EXPECT_EQ(refused("GET https://a.example/v2 HTTP/1.1"), 400);
  EXPECT_EQ(refused("OPTIONS * HTTP/1.1"), 400);
  EXPECT_EQ(refused("CONNECT a.example:443 HTTP/1.1"), 405);
  EXPECT_EQ(refused("GET /v2/../metrics HTTP/1.1"), 400);
  EXPECT_EQ(refused("GET /v2/%2e%2e/metrics HTTP/1.1"), 400);
  EXPECT_EQ(refused("GET /v2%2fmodels HTTP/1.1"), 400);
  for (const char* path : {"/", "/metrics", "/v2x", "/V2", "//v2"}) {
    EXPECT_EQ(refused("GET " + std::string(path) + " HTTP/1.1"), 404) << path;
  }
}

TEST(ReadLocalRequest, RefusesBodiesOfTwoLengths) {
  const std::string host = "host: localhost:8000\r\n";
  for (const char* headers :
       {"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n", "content-length: 5, 5\r\n",
        "content-length: +5\r\n", "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: gzip\r\n", "transfer-encoding : chunked\r\n",
        "transfer-encoding:\x0b" "chunked\r\n", "content-length: 5\r\n 6\r\n"}) {
    EXPECT_NE(refused("POST /v2/x HTTP/1.1", host + headers), 0) << headers;
  }
}

TEST(ReadLocalRequest, WritesTheRequestAnewWithEndToEndHeadersAlone) {
  const LocalRequest request =
      accepted("POST /v2/models/%41b%20c/infer?output=x%20y HTTP/1.1",
               "Host: LOCALHOST:8000\r\nContent-Length: 7\r\nConnection: X-Own, close\r\n"
               "X-Own: 1\r\nUpgrade: h2c\r\nTE: trailers\r\nAuthorization: Bearer t\r\n"
               "Inference-Header-Content-Length: 3\r\n");
  EXPECT_EQ(request.request.method, "POST");
  EXPECT_EQ(request.request.target, "/v2/models/Ab%20c/infer?output=x%20y");
  ASSERT_EQ(request.request.headers.size(), 2U);
  EXPECT_EQ(request.request.headers[0].name, "authorization");
  EXPECT_EQ(request.request.headers[1].name, "inference-header-content-length");
  EXPECT_EQ(request.body_bytes, std::uint64_t{7});
  EXPECT_TRUE(request.close);
  const LocalRequest chunked = accepted("PUT /v2/models/m/versions/1 HTTP/1.1",
                                        "host: 127.0.0.1:8000\r\nexpect: 100-continue\r\n"
                                        "transfer-encoding: chunked\r\n");
  EXPECT_FALSE(chunked.body_bytes);
  EXPECT_TRUE(chunked.expects_continue);
}

TEST(ParseLocalAddress, RefusesWhatLeavesThisMachine) {
  for (const char* text : {"", "8000", "0.0.0.0:8000", "192.0.2.1:80", "a.example:80", "[::]:80",
                           "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:1x",
                           "localhost.a.example:1", "127.0.0.1.a:1", "unix:"}) {
    EXPECT_EQ(parse_local_address(text).error().code, Code::invalid) << text;
  }
  EXPECT_EQ(parse_local_address("localhost:0").value().host, "127.0.0.1");
  EXPECT_EQ(parse_local_address("[::1]:8000").value().host, "::1");
  EXPECT_EQ(parse_local_address("unix:/run/p.sock").value().path, "/run/p.sock");
}

TEST(OwnNames, AreLoopbackNamesWithThePort) {
  const auto names = own_names_of({"127.0.0.1", 0, ""}, 8000);
  EXPECT_EQ(names, (std::vector<std::string>{"localhost:8000", "127.0.0.1:8000", "[::1]:8000"}));
}

}  // namespace
}  // namespace cloister
