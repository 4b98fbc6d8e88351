// What a receipt costs, and whether all hold.
//   receipts_bench compare PORT PLAIN_FILE WANTED_FILE ROUNDS PID...
// asks for the request in either file in turn over one connection. Prints for each round in
// nanoseconds: the time without a receipt and with one, the CPU time of the processes without and
// with, and the CPU time of SHA-256 over the body sent and the body received.
//   receipts_bench collect PORT WANTED_FILE CONNECTIONS REQUESTS
// asks over so many connections at once, each time with a nonce of its own. Prints for each answer
// the nonce, the SHA-256 of the body and the receipt.
//   receipts_bench verify CERTIFICATE WANTED_FILE COLLECTED_FILE
// judges what `collect` printed without any connection. Prints how many held.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "crypto/sha256.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "evidence/receipt.h"
#include "support/cpu_time.h"
#include "support/keep_alive.h"
#include "verifier/verifier.h"

namespace cloister {
namespace {

using Arguments = std::vector<std::string>;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::size_t kAnswerBytesMax = 4 << 20;
constexpr std::size_t kNonceText = 16;  // base64url of 12 bytes

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CLOISTER_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Bytes body_of(const std::string& request) {
  return bytes_of(request).subspan(request.find("\r\n\r\n") + 4);
}

/// What one request took: by the clock, and of the server's processes.
struct Cost {
  nanoseconds wall{};
  nanoseconds cpu{};
};

Cost cost_of(KeepAlive& connection, const std::string& request, CpuMeter& server) {
  const nanoseconds before = server.read();
  const auto began = steady_clock::now();
  connection.ask(bytes_of(request));
  const nanoseconds wall = steady_clock::now() - began;
  return {wall, server.read() - before};
}

int compare(const Arguments& arguments) {
  KeepAlive connection(static_cast<std::uint16_t>(std::stoi(arguments[0])), kAnswerBytesMax);
  const std::string plain = content_of(arguments[1]);
  const std::string wanted = content_of(arguments[2]);
  const int rounds = std::stoi(arguments[3]);
  std::vector<pid_t> processes;
  for (std::size_t i = 4; i < arguments.size(); ++i) processes.push_back(std::stoi(arguments[i]));
  CpuMeter server(processes);
  CpuMeter self({getpid()});
  constexpr int kWarming = 50;
  for (int round = -kWarming; round < rounds; ++round) {
    // Each follows itself and the other equally often: what one leaves behind burdens both.
    const bool plain_first = round % 2 == 0;
    Cost without;
    if (plain_first) without = cost_of(connection, plain, server);
    const Cost with = cost_of(connection, wanted, server);
    CLOISTER_CHECK(!connection.header("cloister-receipt").empty());
    const nanoseconds before = self.read();
    sha256(body_of(wanted));
    sha256(connection.body());
    const nanoseconds hashing = self.read() - before;
    if (!plain_first) without = cost_of(connection, plain, server);
    if (round < 0) continue;
    for (const nanoseconds each : {without.wall, with.wall, without.cpu, with.cpu, hashing}) {
      std::printf("%lld ", static_cast<long long>(each.count()));
    }
    std::printf("\n");
  }
  return 0;
}

int collect(const Arguments& arguments) {
  const auto port = static_cast<std::uint16_t>(std::stoi(arguments[0]));
  const std::string wanted = content_of(arguments[1]);
  const std::string marker(kNonceText, 'A');
  const std::size_t place = wanted.find(marker);
  CLOISTER_CHECK(place != wanted.npos);
  const int connections = std::stoi(arguments[2]);
  const int requests = std::stoi(arguments[3]);
  std::atomic<int> next{0};
  std::mutex printing;
  std::vector<std::jthread> threads;
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&] {
      KeepAlive connection(port, kAnswerBytesMax);
      std::string request = wanted;
      for (int number = next.fetch_add(1); number < requests; number = next.fetch_add(1)) {
        std::string nonce = std::to_string(number);
        nonce.insert(0, kNonceText - nonce.size(), '0');
        request.replace(place, kNonceText, nonce);
        connection.ask(bytes_of(request));
        const std::lock_guard lock(printing);
        std::printf("%s %s %s\n", nonce.c_str(), hex_encode(sha256(connection.body())).c_str(),
                    std::string(connection.header("cloister-receipt")).c_str());
      }
    });
  }
  return 0;
}

int verify(const Arguments& arguments) {
  const std::string certificate = content_of(arguments[0]);
  const std::string wanted = content_of(arguments[1]);
  Policy policy;
  policy.allow_simulation = true;
  std::ifstream collected(arguments[2]);
  std::set<ByteVector> nonces;
  Sha256Digest vouched{};
  std::string nonce;
  std::string response;
  std::string text;
  while (collected >> nonce >> response >> text) {
    const ByteVector encoded = base64url_decode(text).value();
    const auto read = Receipt::read(encoded);
    CLOISTER_CHECK(read.ok());
    const ReceiptStatement& stated = read.value().statement();
    if (nonces.empty()) {
      const Verdict verdict =
          verify_certificate(bytes_of(certificate), {}, policy, stated.time);
      CLOISTER_CHECK(verdict.accepted() && verdict.claims && verdict.claims->receipt_key);
      CLOISTER_CHECK(verdict.claims->configuration == stated.configuration);
      vouched = *verdict.claims->receipt_key;
    }
    const bool about_this = stated.nonce == base64url_decode(nonce).value() &&
                            hex_encode(stated.response) == response &&
                            stated.request == sha256(body_of(wanted)) &&
                            stated.certificate == sha256(bytes_of(certificate));
    if (about_this && read.value().verify(vouched).ok()) nonces.insert(stated.nonce);
  }
  std::printf("%zu\n", nonces.size());
  return 0;
}

int main_of(const Arguments& arguments) {
  const std::string mode = arguments.empty() ? "" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (mode == "compare" && rest.size() >= 5) return compare(rest);
  if (mode == "collect" && rest.size() == 4) return collect(rest);
  if (mode == "verify" && rest.size() == 3) return verify(rest);
  std::fputs("receipts_bench compare | collect | verify: see the source\n", stderr);
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::main_of(cloister::Arguments(argv + 1, argv + argc));
}
