// Clients for ./dev soak hostile_connections, in C++ so that they take next to nothing of the
// processor that they share with the server.
//   hostile_clients attack PORT TOKEN_FILE BOMB_FILE CONNECTIONS [WAY]
// misuses the server in every way that misuse.h has, or in the one named, on so many connections,
// over and over, until standard input ends. Prints "ready" once each has begun, and at the end how
// often each way was gone and the seconds of CPU that all of it took.
//   hostile_clients honest PORT TOKEN_FILE CONNECTIONS SECONDS
// asks the model `m` over keep-alive connections, 50 times a second each. Prints what every request
// took, in nanoseconds.
//   hostile_clients sink
// answers every request with nothing, over the server's own HTTP library, until standard input
// ends. Prints its port first.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "hostile_clients/misuse.h"
#include "net/server.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstWithin{20'000};
constexpr milliseconds kAgainWithin{2'000};
constexpr milliseconds kHonestPause{20};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CLOISTER_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void wait_for_end_of_input() {
  while (std::getchar() != EOF) {
  }
}

struct Tally {
  std::atomic<std::size_t> begun{0};
  std::vector<std::atomic<std::size_t>> times = std::vector<std::atomic<std::size_t>>(
      misuses().size());
};

std::size_t way_named(const std::string& name) {
  const auto way = std::ranges::find(misuses(), name, &Misuse::name);
  CLOISTER_CHECK(way != misuses().end());
  return static_cast<std::size_t>(way - misuses().begin());
}

[[noreturn]] void misuse_for_ever(const Target& target, std::size_t way, std::size_t number,
                                  Tally& tally) {
  std::minstd_rand random(static_cast<unsigned>(number) + 1);
  const auto rest = [&](milliseconds most) {
    std::this_thread::sleep_for(milliseconds(random() % static_cast<unsigned>(most.count())));
  };
  rest(kFirstWithin);
  ++tally.begun;
  for (;;) {
    ++tally.times[way];
    try {
      misuses()[way].commit(target);
    } catch (const std::exception&) {
      // Refused, reset or left waiting: it begins anew.
    }
    rest(kAgainWithin);
  }
}

int attack(const std::vector<std::string>& arguments) {
  static Target target;
  static Tally tally;
  target = {static_cast<std::uint16_t>(std::stoi(arguments[0])), content_of(arguments[1]),
            content_of(arguments[2])};
  const auto count = static_cast<std::size_t>(std::stoul(arguments[3]));
  static std::vector<std::jthread> threads;  // they have no end, and nobody waits for one
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t way = arguments.size() > 4 ? way_named(arguments[4]) : i % misuses().size();
    threads.emplace_back([way, i] { misuse_for_ever(target, way, i, tally); });
  }
  while (tally.begun.load() < count) std::this_thread::sleep_for(milliseconds(100));
  std::puts("ready");
  std::fflush(stdout);
  wait_for_end_of_input();
  for (std::size_t i = 0; i < misuses().size(); ++i) {
    std::printf("%.*s: %zu\n", static_cast<int>(misuses()[i].name.size()),
                misuses()[i].name.data(), tally.times[i].load());
  }
  std::printf("cpu: %.3f\n", static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  std::fflush(stdout);
  std::_Exit(0);
}

int ask_honestly(const std::vector<std::string>& arguments) {
  const auto port = static_cast<std::uint16_t>(std::stoi(arguments[0]));
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],)"
                           R"("data":[1,2,3,4]}]})";
  const std::string request = "POST /v2/models/m/infer HTTP/1.1\r\nhost: a\r\n"
                              "authorization: Bearer " + content_of(arguments[1]) +
                              "\r\ncontent-type: application/json\r\ncontent-length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  const auto until = steady_clock::now() + std::chrono::seconds(std::stoi(arguments[3]));
  std::mutex printing;
  std::vector<std::jthread> threads;
  for (int i = 0; i < std::stoi(arguments[2]); ++i) {
    threads.emplace_back([&] {
      TlsClient client(port);
      std::vector<nanoseconds> times;
      while (steady_clock::now() < until) {
        const auto began = steady_clock::now();
        client.send(request);
        const auto answer = client.receive();
        times.push_back(steady_clock::now() - began);
        CLOISTER_CHECK(answer && answer->status == 200);
        std::this_thread::sleep_for(kHonestPause);
      }
      const std::lock_guard lock(printing);
      for (const nanoseconds each : times) {
        std::printf("%lld\n", static_cast<long long>(each.count()));
      }
    });
  }
  threads.clear();
  return 0;
}

class SinkHandler final : public RequestHandler {
 public:
  HeadDecision decide(const HttpRequestHead&) override { return BodyPlan{1U << 20}; }
  void handle(HttpRequestHead, RequestBody, std::shared_ptr<Responder> responder) override {
    responder->send(text_response(200, "text/plain", ""));
  }
};

int serve_sink() {
  SinkHandler handler;
  auto server = start_https_server(ListenerSettings(), make_test_identity(), handler);
  CLOISTER_CHECK(server.ok());
  std::printf("%u\n", static_cast<unsigned>(server.value()->port()));
  std::fflush(stdout);
  wait_for_end_of_input();
  server.value()->stop(milliseconds(0));
  return 0;
}

int main_of(const std::vector<std::string>& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (what == "attack" && (rest.size() == 4 || rest.size() == 5)) return attack(rest);
  if (what == "honest" && rest.size() == 4) return ask_honestly(rest);
  if (what == "sink" && rest.empty()) return serve_sink();
  std::fputs("see the head of hostile_clients.cc\n", stderr);
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
