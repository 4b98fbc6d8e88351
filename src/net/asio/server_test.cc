#include "net/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

/// Answers with the body it got; paths choose other behaviour.
class EchoHandler final : public RequestHandler {
 public:
  HeadDecision decide(const HttpRequestHead& head) override {
    {
      const MutexLock lock(mutex_);
      last_facts_ = head.connection;
    }
    if (head.path == "/throw-early") throw 1;
    if (head.path == "/deny") return text_response(401, "text/plain", "no");
    if (head.path == "/small") return BodyPlan{100, 60};
    BodyPlan plan{8U << 20, head.path == "/soon" ? 1U : 60U};
    plan.lead = head.path == "/lead" ? 23 : 0;
    plan.whose = head.path == "/public" ? 0 : head.path == "/other" ? 2 : 1;
    return plan;
  }

  void handle(HttpRequestHead head, RequestBody body,
              std::shared_ptr<Responder> responder) override {
    ++handled_;
    if (head.path == "/throw") throw 1;
    if (head.path == "/drop") return;
    if (head.path == "/split") return responder->send(text_response(200, "a\r\nb: c", ""));
    if (head.path == "/wait") return keep(std::move(responder));
    if (head.path == "/thread") {
      const MutexLock lock(mutex_);
      threads_.emplace_back([kept = std::move(responder)] {
        kept->send(text_response(200, "text/plain", "thread"));
      });
      return;
    }
    responder->send(echo(std::move(body)));
  }

  ConnectionFacts last_facts() {
    const MutexLock lock(mutex_);
    return last_facts_;
  }
  void wait_until_gone() {
    const MutexLock lock(mutex_);
    while (!gone_) changed_.wait(mutex_);
  }
  void wait_until_waiting() {
    const MutexLock lock(mutex_);
    while (kept_ == nullptr) changed_.wait(mutex_);
  }
  void answer_kept() {
    std::shared_ptr<Responder> responder;
    {
      const MutexLock lock(mutex_);
      responder = std::move(kept_);
    }
    responder->send(text_response(200, "text/plain", "kept"));
  }
  int handled() const { return handled_; }
  int sent() const { return sent_; }

 private:
  HttpResponse echo(RequestBody body) {
    auto owner = std::make_shared<const RequestBody>(std::move(body));
    HttpResponse response;
    response.headers.push_back({"content-type", "application/octet-stream"});
    // In uneven pieces, so that gathering and direct writing both happen.
    Bytes rest = owner->bytes();
    for (std::size_t size = 1; !rest.empty(); size = size * 3 + 1) {
      response.body.pieces.push_back(rest.first(std::min(size, rest.size())));
      rest = rest.subspan(response.body.pieces.back().size());
    }
    response.body.owner = std::move(owner);
    response.sent = [this] { ++sent_; };
    return response;
  }

  void keep(std::shared_ptr<Responder> responder) {
    responder->on_peer_gone([this] {
      const MutexLock lock(mutex_);
      gone_ = true;
      changed_.notify_all();
    });
    const MutexLock lock(mutex_);
    kept_ = std::move(responder);
    changed_.notify_all();
  }

  Mutex mutex_;
  Signal changed_;
  ConnectionFacts last_facts_ GUARDED_BY(mutex_);
  std::shared_ptr<Responder> kept_ GUARDED_BY(mutex_);
  bool gone_ GUARDED_BY(mutex_) = false;
  std::atomic<int> handled_{0};
  std::atomic<int> sent_{0};
  std::vector<std::jthread> threads_ GUARDED_BY(mutex_);
};

class HttpsServerTest : public testing::Test {
 protected:
  void start(ListenerSettings settings = {}) {
    server_ = start_https_server(settings, make_test_identity(), handler_).value();
  }
  std::uint16_t port() const { return server_->port(); }

  /// A connection whose request is under way until `finish`.
  TlsClient begin(const std::string& path) {
    TlsClient client(port());
    client.send("POST " + path + " HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                "content-length: 5\r\n\r\n");
    EXPECT_EQ(client.receive(true)->status, 100);
    return client;
  }
  int finish(TlsClient& client) {
    client.send("hello");
    return client.receive()->status;
  }

  EchoHandler handler_;
  std::unique_ptr<HttpsServer> server_;
};

const std::string kGet = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

std::string post(const std::string& path, std::string_view body, const std::string& more = "") {
  return "POST " + path + " HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n" + more + "\r\n" + std::string(body);
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + i / 251) % 256);
  return text;
}

TEST(StartHttpsServer, RefusesAnAddressThatIsNotNumericAndABadIdentity) {
  EchoHandler handler;
  ListenerSettings settings;
  settings.address = "localhost";
  EXPECT_EQ(start_https_server(settings, make_test_identity(), handler).error().code,
            Code::invalid);
  TlsIdentity crossed = make_test_identity();
  crossed.certificate = make_test_identity().certificate;
  EXPECT_EQ(start_https_server({}, std::move(crossed), handler).error().code, Code::invalid);
  EXPECT_EQ(start_https_server({}, TlsIdentity(), handler).error().code, Code::invalid);
}

TEST_F(HttpsServerTest, RefusesOlderTls) {
  start();
  EXPECT_THROW(TlsClient(port(), {.old_version = true}), std::runtime_error);
  TlsClient good(port());
  good.send(kGet);
  EXPECT_EQ(good.receive()->status, 200);
  EXPECT_EQ(good.tickets(), 0);
  EXPECT_EQ(good.cipher(), "TLS_AES_256_GCM_SHA384");
}

struct RefusedHead {
  int status;
  std::string text;
};

TEST_F(HttpsServerTest, RefusesMalformedAndOversizedHeadsAndClosesAfterTheAnswer) {
  start();
  const std::string host = "host: x\r\n";
  const std::string many = [] {
    std::string text;
    for (int i = 0; i < 80; ++i) text += "x-" + std::to_string(i) + ": 1\r\n";
    return text;
  }();
  const std::vector<RefusedHead> cases = {
      {400, "nonsense\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/2.0\r\n" + host + "\r\n"},
      {400, "GET / HTTP/1.1\r\n" + host + host + "\r\n"},
      {400, "GET / HTTP/1.1\r\n" + host + "a b: c\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n" + host + "a: \x01\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n" + host + "a: \xff\r\n\r\n"},
      {400, "GET /../etc HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a/%2e%2E/b HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a%2fb HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a%00 HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a%5cb HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a\\b HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /a%4 HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET a HTTP/1.1\r\n" + host + "\r\n"},
      {405, "BREW / HTTP/1.1\r\n" + host + "\r\n"},
      {405, "TRACE / HTTP/1.1\r\n" + host + "\r\n"},
      {400, std::string(40, 'A') + " / HTTP/1.1\r\n" + host + "\r\n"},
      {414, "GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n" + host + "\r\n"},
      {431, "GET / HTTP/1.1\r\n" + host + many + "\r\n"},
      {431, "GET / HTTP/1.1\r\n" + host + "a: " + std::string(16384, 'b')},
      {400, "POST / HTTP/1.1\r\n" + host + "content-length: 1\r\ncontent-length: 2\r\n\r\nab"},
      {400, "POST / HTTP/1.1\r\n" + host + "content-length: 1\r\ncontent-length: 1\r\n\r\na"},
      {400, "POST / HTTP/1.1\r\n" + host + "content-length: -1\r\n\r\na"},
      {400, "POST / HTTP/1.1\r\n" + host + "content-length: 1, 1\r\n\r\na"},
      {400, "POST / HTTP/1.1\r\n" + host + "content-length: 99999999999999999999\r\n\r\na"},
      {400, "POST / HTTP/1.1\r\n" + host +
                "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\n" + host +
                "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\n" + host + "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\n" + host + "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {400, "POST / HTTP/1.0\r\n" + host + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
      {417, "POST / HTTP/1.1\r\n" + host + "content-length: 1\r\nexpect: 200\r\n\r\na"},
  };
  for (const RefusedHead& each : cases) {
    TlsClient client(port());
    client.send(each.text);
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << each.text;
    EXPECT_EQ(answer->status, each.status) << each.text;
    EXPECT_TRUE(answer->body.starts_with("{\"error\":\"")) << answer->body;
    EXPECT_TRUE(answer->has("connection: close")) << each.text;
    EXPECT_TRUE(client.ended()) << each.text;
  }
  EXPECT_EQ(handler_.handled(), 0);
}

TEST_F(HttpsServerTest, RefusesBodiesPastThePlan) {
  start();
  TlsClient sized(port());
  sized.send("POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n");
  EXPECT_EQ(sized.receive()->status, 413);
  EXPECT_TRUE(sized.ended());
  TlsClient chunked(port());
  chunked.send("POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n40\r\n" +
               std::string(64, 'a') + "\r\n40\r\n");
  EXPECT_EQ(chunked.receive()->status, 413);
  EXPECT_EQ(handler_.handled(), 0);
}

TEST_F(HttpsServerTest, RefusesMalformedChunksAndCrumbs) {
  start();
  const std::string head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
  for (const std::string body : {"x\r\n", "1\n", "-1\r\n", "1\r\nabc", "1\r\na\n", "\r\n",
                                 "ffffffffffffffff\r\n", "1 \r\na\r\n"}) {
    TlsClient client(port());
    client.send(head + body);
    EXPECT_EQ(client.receive()->status, 400) << body;
  }
  std::string crumbs;
  for (int i = 0; i < 20000; ++i) crumbs += "1\r\na\r\n";
  TlsClient client(port());
  client.try_send(head + crumbs);
  EXPECT_EQ(client.receive()->status, 413);
}

TEST_F(HttpsServerTest, AnswersARefusedExpectationWithoutTheBody) {
  start();
  TlsClient client(port());
  client.send("PUT /deny HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n"
              "expect: 100-continue\r\n\r\n");
  const auto answer = client.receive();
  EXPECT_EQ(answer->status, 401);
  EXPECT_TRUE(answer->has("connection: close"));
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpsServerTest, KeepsTheConnectionAfterRefusingASmallBody) {
  start();
  TlsClient client(port());
  client.send(post("/deny", pattern(1000)) + kGet);
  EXPECT_EQ(client.receive()->status, 401);
  EXPECT_EQ(client.receive()->status, 200);
}

TEST_F(HttpsServerTest, LetsTheSenderOfALargeRefusedBodyReadTheAnswer) {
  start();
  TlsClient client(port());
  client.try_send(post("/deny", pattern(3U << 20)));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 401);
}

TEST_F(HttpsServerTest, TurnsAHandlersFailureInto500) {
  start();
  for (const std::string path : {"/throw", "/throw-early", "/drop", "/split"}) {
    TlsClient client(port());
    client.send(post(path, "abc"));
    EXPECT_EQ(client.receive()->status, 500) << path;
  }
}

TEST_F(HttpsServerTest, EndsConnectionsThatAreTooSlow) {
  ListenerSettings settings;
  settings.header_time_max = settings.idle_time_max = settings.stall_time_max =
      settings.handshake_time_max = std::chrono::seconds(1);
  start(settings);
  TlsClient silent(port());
  TlsClient head(port());
  head.send("GET / HTTP/1.1\r\nhost");
  TlsClient body(port());
  body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab");
  TlsClient chunk(port());
  chunk.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab");
  EXPECT_TRUE(silent.ended());
  EXPECT_EQ(head.receive()->status, 408);
  EXPECT_EQ(body.receive()->status, 408);
  EXPECT_EQ(chunk.receive()->status, 408);
}

TEST_F(HttpsServerTest, ClosesTheNewConnectionWhereAllOthersAreBusyAndNobodyHasMoreThanHalf) {
  ListenerSettings settings;
  settings.connections_max = 2;
  start(settings);
  TlsClient busy = begin("/");
  TlsClient other = begin("/other");
  EXPECT_THROW(TlsClient{port()}, std::runtime_error);
  EXPECT_EQ(finish(busy), 200);
  EXPECT_EQ(finish(other), 200);
}

TEST_F(HttpsServerTest, TakesRoomFromAPrincipalWhoHasMoreThanHalf) {
  ListenerSettings settings;
  settings.connections_max = 3;
  start(settings);
  TlsClient first = begin("/");
  TlsClient second = begin("/");
  TlsClient other = begin("/other");
  TlsClient late(port());
  EXPECT_TRUE(first.ended());
  EXPECT_EQ(finish(second), 200);
  EXPECT_EQ(finish(other), 200);
  late.send(kGet);
  EXPECT_EQ(late.receive()->status, 200);
}

TEST_F(HttpsServerTest, TakesRoomFromStrangersBeforeItTakesAKnownClientsSilence) {
  ListenerSettings settings;
  settings.connections_max = 2;
  start(settings);
  TlsClient known(port());
  known.send(kGet);
  EXPECT_EQ(known.receive()->status, 200);
  TlsClient stranger = begin("/public");
  TlsClient late(port());
  EXPECT_TRUE(stranger.ended());
  for (TlsClient* each : {&known, &late}) {
    each->send(kGet);
    EXPECT_EQ(each->receive()->status, 200);
  }
}

TEST_F(HttpsServerTest, ServesClientsThroughAFloodOfSilentConnections) {
  ListenerSettings settings;
  settings.connections_max = 8;
  start(settings);
  TlsClient honest(port());
  std::vector<TlsClient> silent;
  for (int i = 0; i < 40; ++i) {
    honest.send(kGet);
    EXPECT_EQ(honest.receive()->status, 200);
    silent.emplace_back(port());
    if (i % 2 == 0) silent.back().send("GET / HTTP/1.1\r\nhost");
  }
  EXPECT_TRUE(silent.front().ended());
  TlsClient late(port());
  late.send(kGet);
  EXPECT_EQ(late.receive()->status, 200);
}

TEST_F(HttpsServerTest, HangsUpOnEndlessKeyUpdates) {
  start();
  TlsClient client(port());
  int accepted = 0;
  while (accepted < 2000 && client.request_key_update() && client.try_send("\r\n")) ++accepted;
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpsServerTest, EchoesBodiesOfEverySizeSizedAndChunked) {
  start();
  TlsClient client(port());
  for (const std::size_t size : {0UL, 1UL, 100UL, 16384UL, 65536UL, 65537UL, 602112UL, 48000UL,
                                 49000UL, 49151UL, 49152UL, 49153UL, 5000000UL}) {
    const std::string body = pattern(size);
    client.send(post("/", body));
    EXPECT_EQ(client.receive()->body, body) << size;
    client.send(post("/lead", body));
    EXPECT_EQ(client.receive()->body, body) << size;
    std::string chunked = "POST /lead HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    std::string_view rest = body;
    for (std::size_t piece = 100; !rest.empty(); piece = piece * 7 % 50000 + 64) {
      const std::string_view part = rest.substr(0, piece);
      char line[32];
      std::snprintf(line, sizeof line, "%zX;x=y\r\n", part.size());
      chunked.append(line).append(part).append("\r\n");
      rest.remove_prefix(part.size());
    }
    client.send(chunked + "0\r\nt: 1\r\n\r\n");
    EXPECT_EQ(client.receive()->body, body) << size;
  }
}

TEST_F(HttpsServerTest, ContinuesThenTakesTheBody) {
  start();
  TlsClient client(port());
  const std::string body = pattern(100000);
  client.send("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n"
              "expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 100);
  client.send(body);
  EXPECT_EQ(client.receive()->body, body);
}

TEST_F(HttpsServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  TlsClient client(port());
  std::string all;
  for (int i = 0; i < 300; ++i) {
    all += post(i % 3 == 0 ? "/thread" : "/", "body " + std::to_string(i));
  }
  client.send(all);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(client.receive()->body, i % 3 == 0 ? "thread" : "body " + std::to_string(i));
  }
}

TEST_F(HttpsServerTest, AnswersHeadWithoutABodyAndOldClientsWithAClose) {
  start();
  TlsClient client(port());
  client.send("HEAD /thread HTTP/1.1\r\nhost: x\r\n\r\n" + kGet);
  const auto answer = client.receive(true);
  EXPECT_TRUE(answer->has("content-length: 6\r\n"));
  EXPECT_EQ(client.receive()->status, 200);
  client.send("GET https://x HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.receive()->has("connection: close"));
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpsServerTest, TellsChannelBindingAndClientKey) {
  start();
  const TlsIdentity identity = make_test_identity();
  TlsClient with(port(), {.identity = &identity});
  with.send(kGet);
  EXPECT_EQ(with.receive()->status, 200);
  EXPECT_EQ(handler_.last_facts().tls_exporter, with.exporter());
  EXPECT_EQ(handler_.last_facts().client_spki_sha256, spki_sha256(identity));
  TlsClient without(port());
  without.send(kGet);
  EXPECT_EQ(without.receive()->status, 200);
  EXPECT_EQ(handler_.last_facts().tls_exporter, without.exporter());
  EXPECT_FALSE(handler_.last_facts().client_spki_sha256);
}

TEST_F(HttpsServerTest, TellsTheHandlerThatThePeerIsGone) {
  start();
  TlsClient client(port());
  client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + kGet);
  handler_.wait_until_waiting();
  client.hang_up();
  handler_.wait_until_gone();
  handler_.answer_kept();  // too late, and harmless
}

TEST_F(HttpsServerTest, TellsThatAnAnswerWentOutWhereItsLastByteDid) {
  start();
  TlsClient client(port());
  client.send(post("/", pattern(100'000)));
  EXPECT_EQ(client.receive()->status, 200);
  // More than the kernel's buffers hold, to a peer that reads nothing of it.
  TlsClient deaf(port());
  deaf.send(post("/", pattern(8U << 20)));
  ASSERT_TRUE(deaf.stirs_within(20'000));
  deaf.hang_up();
  server_->stop(std::chrono::milliseconds{20'000});
  EXPECT_EQ(handler_.handled(), 2);
  EXPECT_EQ(handler_.sent(), 1);
}

TEST_F(HttpsServerTest, GivesNewConnectionsTheNewIdentity) {
  start();
  TlsClient old(port());
  EXPECT_EQ(server_->replace_identity(TlsIdentity()).error().code, Code::invalid);
  EXPECT_TRUE(server_->replace_identity(make_test_identity()).ok());
  TlsClient fresh(port());
  for (TlsClient* client : {&old, &fresh}) {
    client->send(kGet);
    EXPECT_EQ(client->receive()->status, 200);
  }
}

TEST_F(HttpsServerTest, LetsARequestUnderWayFinishWhenStopping) {
  start();
  TlsClient idle(port());
  idle.send(kGet);
  EXPECT_EQ(idle.receive()->status, 200);
  TlsClient busy(port());
  busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
  handler_.wait_until_waiting();
  {
    const std::jthread stopping([this] { server_->stop(std::chrono::seconds(20)); });
    EXPECT_TRUE(idle.ended());
    handler_.answer_kept();
    const auto answer = busy.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "kept");
    EXPECT_TRUE(answer->has("connection: close"));
  }
  server_->stop(std::chrono::seconds(20));
}

TEST_F(HttpsServerTest, TakesAnAnswerAfterItsEnd) {
  start();
  TlsClient client(port());
  client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
  handler_.wait_until_waiting();
  server_.reset();
  handler_.wait_until_gone();
  handler_.answer_kept();
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpsServerTest, ServesManyConnectionsOnSeveralThreads) {
  ListenerSettings settings;
  settings.io_threads = 3;
  start(settings);
  std::vector<std::jthread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([this, i] {
      TlsClient client(port());
      for (int j = 0; j < 25; ++j) {
        const std::string body = pattern(static_cast<std::size_t>(i * 1000 + j * 7000));
        client.send(post(j % 5 == 0 ? "/thread" : "/", body));
        EXPECT_EQ(client.receive()->body, j % 5 == 0 ? "thread" : body);
      }
    });
  }
}

}  // namespace
}  // namespace cloister
