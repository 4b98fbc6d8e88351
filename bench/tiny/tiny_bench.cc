// The cheapest request there is, asked over and over.
//   tiny_bench bare ANSWER_BYTES
// serves a handler that does nothing over the server's own HTTP library: prints its port and ends
// with standard input.
//   tiny_bench load PORT REQUEST_FILE CONNECTIONS REQUESTS PID...
// sends the file's request over keep-alive connections. Prints CPU nanoseconds of the processes
// per request, requests per second, and the median and 99th percentile in nanoseconds.
#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "net/server.h"
#include "support/cpu_time.h"
#include "support/keep_alive.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// Answers every request with the same bytes, on the I/O thread.
class BareHandler final : public RequestHandler {
 public:
  explicit BareHandler(std::size_t answer_bytes) : answer_(answer_bytes, 'x') {}
  HeadDecision decide(const HttpRequestHead&) override { return BodyPlan{64 * 1024}; }
  void handle(HttpRequestHead, RequestBody, std::shared_ptr<Responder> responder) override {
    responder->send(text_response(200, "application/octet-stream", answer_));
  }

 private:
  std::string answer_;
};

int serve_bare(std::size_t answer_bytes) {
  BareHandler handler(answer_bytes);
  ListenerSettings settings;
  auto server = start_https_server(settings, make_test_identity(), handler);
  CLOISTER_CHECK(server.ok());
  std::printf("%u\n", static_cast<unsigned>(server.value()->port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.value()->stop(std::chrono::milliseconds(0));
  return 0;
}

int load(const std::vector<std::string>& arguments) {
  const auto port = static_cast<std::uint16_t>(std::stoi(arguments[0]));
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string request{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const int connections = std::stoi(arguments[2]);
  const int each = std::stoi(arguments[3]) / connections;
  std::vector<pid_t> processes;
  for (std::size_t i = 4; i < arguments.size(); ++i) processes.push_back(std::stoi(arguments[i]));

  std::vector<nanoseconds> times;
  std::mutex times_mutex;
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::jthread> threads;
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&] {
      KeepAlive connection(port, 64 * 1024);
      for (int warm = 0; warm < 20; ++warm) connection.ask(bytes_of(request));
      ready.fetch_add(1);
      go.wait(false);
      std::vector<nanoseconds> own;
      for (int round = 0; round < each; ++round) {
        const auto began = steady_clock::now();
        connection.ask(bytes_of(request));
        own.push_back(steady_clock::now() - began);
      }
      const std::lock_guard lock(times_mutex);
      times.insert(times.end(), own.begin(), own.end());
    });
  }
  while (ready.load() < connections) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CpuMeter meter(processes);
  const nanoseconds cpu_before = meter.read();
  const auto began = steady_clock::now();
  go.store(true);
  go.notify_all();
  threads.clear();
  const nanoseconds took = steady_clock::now() - began;
  const nanoseconds cpu = meter.read() - cpu_before;
  std::sort(times.begin(), times.end());
  const auto count = static_cast<double>(times.size());
  std::printf("%.0f %.0f %lld %lld\n", static_cast<double>(cpu.count()) / count,
              count / (static_cast<double>(took.count()) / 1e9),
              static_cast<long long>(times[times.size() / 2].count()),
              static_cast<long long>(times[times.size() * 99 / 100].count()));
  return 0;
}

int main_of(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "bare") {
    return serve_bare(std::stoul(arguments[1]));
  }
  if (arguments.size() >= 6 && arguments[0] == "load") {
    return load({arguments.begin() + 1, arguments.end()});
  }
  std::fputs("tiny_bench bare ANSWER_BYTES | load PORT FILE CONNECTIONS REQUESTS PID...\n", stderr);
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
