#include "proxy/proxy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>

#include "support/fake_clock.h"
#include "support/fake_entropy.h"

namespace cloister {
namespace {

/// What a local client sends, piece by piece, and what it gets. An empty piece is a pause that is
/// longer than any limit; behind the last piece the client says no more.
class ScriptedStream final : public LocalStream {
 public:
  explicit ScriptedStream(std::deque<std::string> pieces) : pieces_(std::move(pieces)) {}

  Result<std::size_t> read(MutableBytes room, std::chrono::milliseconds) override {
    if (pieces_.empty()) return std::size_t{0};
    if (pieces_.front().empty()) return Error{Code::deadline, "test.read"};
    std::string& next = pieces_.front();
    const std::size_t count = std::min(room.size(), next.size());
    std::ranges::copy(bytes_of(next).first(count), room.begin());
    next.erase(0, count);
    if (next.empty()) pieces_.pop_front();
    return count;
  }
  Status write(Bytes bytes) override {
    received += text_of(bytes);
    return Done{};
  }
  void finish_writing() noexcept override {}
  void cancel() noexcept override {}

  std::string received;

 private:
  std::deque<std::string> pieces_;
};

class RelayTest : public ::testing::Test {
 protected:
  /// What a client that sends `pieces` receives, where opening a connection fails with `code`.
  std::string answer(std::deque<std::string> pieces, Code code = Code::unavailable) {
    PoolSettings settings;
    settings.wait_max = std::chrono::seconds(0);
    settings.trust = [this, code]() -> Result<TrustSettings> {
      ++asked_;
      return Error{code, "test.trust", Detail("said \"so\"")};
    };
    SessionPool sessions(std::move(settings), clock_, entropy_);
    const RelayService service{sessions, clock_, {"localhost:1"},
                               [](const Error& error) { return std::string(name_of(error.code)); }};
    ScriptedStream stream(std::move(pieces));
    std::atomic<bool> is_idle = true;
    Relay(service, stream, is_idle).serve();
    return stream.received;
  }

  FakeClock clock_;
  CountingEntropy entropy_;
  int asked_ = 0;
};

constexpr const char* kGet = "GET /v2 HTTP/1.1\r\nhost: localhost:1\r\n\r\n";

TEST_F(RelayTest, AsksNobodyForARefusedRequest) {
  EXPECT_TRUE(answer({"GET /v2 HTTP/1.1\r\nhost: a.example\r\n\r\n"})
                  .starts_with("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_TRUE(answer({"POST /v2 HTTP/1.1\r\nhost: localhost:1\r\norigin: null\r\n"
                      "content-length: 3\r\n\r\nabc"})
                  .starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(answer({"nonsense\r\n\r\n"}).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(answer({std::string(kLocalHeadBytesMax, 'a')}).starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(asked_, 0);
}

TEST_F(RelayTest, EndsAConnectionThatSendsNoWholeHead) {
  EXPECT_TRUE(answer({"GET /v2 HT", ""}).starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(answer({"GET /v2 HT"}), "");
  EXPECT_EQ(answer({""}), "");
  EXPECT_EQ(asked_, 0);
}

TEST_F(RelayTest, SaysWhyThereIsNoServer) {
  const std::string unreachable = answer({kGet});
  EXPECT_TRUE(unreachable.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << unreachable;
  EXPECT_TRUE(unreachable.ends_with("{\"error\":\"unavailable\",\"code\":\"unavailable\"}"));
  EXPECT_TRUE(answer({kGet}, Code::unverified).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
  EXPECT_TRUE(answer({kGet}, Code::busy).starts_with("HTTP/1.1 503 "));
}

TEST_F(RelayTest, TakesNoSecondRequestAfterAFailure) {
  const std::string received = answer({std::string(kGet) + kGet});
  EXPECT_EQ(received.find("HTTP/1.1", 1), std::string::npos);
  EXPECT_NE(received.find("connection: close\r\n"), std::string::npos);
}

class SilentListener final : public LocalListener {
 public:
  Result<std::unique_ptr<LocalStream>> accept() override {
    const MutexLock lock(mutex_);
    while (!cancelled_) signal_.wait(mutex_);
    return Error{Code::unavailable, "test.accept"};
  }
  void cancel() noexcept override {
    const MutexLock lock(mutex_);
    cancelled_ = true;
    signal_.notify_all();
  }
  std::uint16_t port() const noexcept override { return 1; }

 private:
  Mutex mutex_;
  Signal signal_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
};

TEST(Proxy, StopsWhileNobodyConnects) {
  FakeClock clock;
  CountingEntropy entropy;
  SessionPool sessions({}, clock, entropy);
  const RelayService service{sessions, clock, {}, nullptr};
  Proxy proxy(std::make_unique<SilentListener>(), service);
  ASSERT_TRUE(proxy.start().ok());
  proxy.stop(std::chrono::milliseconds(0));
}

}  // namespace
}  // namespace cloister
