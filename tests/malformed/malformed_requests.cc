// Sends requests to a running server and judges its answers.
//   malformed_requests model FILE
//   malformed_requests malformed PORT TOKEN_FILE SEED COUNT
//   malformed_requests keep_alive PORT TOKEN_FILE CONNECTIONS COUNT
// The model `probe`, which `model` writes, must have been uploaded. Prints how often each status
// came; ends with 1 where an answer breaks the contract, or none comes where one must.
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "malformed/request_maker.h"
#include "support/onnx_writer.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

constexpr int kThreads = 8;
constexpr int kSilenceMilliseconds = 40;
// 500 is documented too, as a fault of ours: no request may bring it about.
const std::set<int> kStatuses = {200, 201, 400, 401, 403, 404, 405, 406, 408, 409, 411,
                                 413, 414, 415, 417, 422, 429, 431, 503, 504};

/// What was seen, by all threads together.
class Tally {
 public:
  void count(int status) {
    const MutexLock lock(mutex_);
    ++statuses_[status];
  }
  void fault(const std::string& what, const std::string& request) {
    const MutexLock lock(mutex_);
    if (++faults_ > 5) return;
    std::fprintf(stderr, "%s, after: %.300s\n", what.c_str(), request.c_str());
  }
  int report() {
    const MutexLock lock(mutex_);
    for (const auto& [status, times] : statuses_) {
      if (status == 0) {
        std::printf("no answer: %d\n", times);
      } else {
        std::printf("%d: %d\n", status, times);
      }
    }
    return faults_ == 0 ? 0 : 1;
  }

 private:
  Mutex mutex_;
  std::map<int, int> statuses_ GUARDED_BY(mutex_);
  int faults_ GUARDED_BY(mutex_) = 0;
};

bool keeps_contract(const ReceivedAnswer& answer) {
  if (!answer.head.starts_with("HTTP/1.1 ") || !kStatuses.contains(answer.status)) return false;
  if (answer.status < 400) return true;
  return answer.has("content-type: application/json") && answer.body.starts_with("{\"error\":\"") &&
         answer.body.find("\"code\":\"") != answer.body.npos;
}

std::string read_token(const char* path) {
  std::ifstream file(path);
  std::string token;
  std::getline(file, token);
  return token;
}

/// Sends one request and judges the answer. False where the connection is of no further use.
bool exchange(TlsClient& client, const MadeRequest& request, bool fresh, Tally& tally) {
  const bool sent = client.try_send(request.bytes);
  if (!sent && !fresh) return false;
  if (!request.complete && !client.stirs_within(kSilenceMilliseconds)) {
    tally.count(0);
    return false;
  }
  const auto answer = client.receive();
  if (!answer) {
    // What was in flight when the server gave up may reset the connection under its answer.
    if (sent && request.complete && fresh) tally.fault("no answer", request.bytes);
    tally.count(0);
    return false;
  }
  tally.count(answer->status);
  if (!keeps_contract(*answer)) {
    tally.fault("answered " + answer->head + answer->body, request.bytes);
  }
  return request.complete && !answer->has("connection: close");
}

void send_malformed(std::uint16_t port, RequestMaker maker, int count, Tally& tally) {
  std::optional<TlsClient> client;
  bool fresh = true;
  for (int i = 0; i < count; ++i) {
    const MadeRequest request = maker.next();
    try {
      fresh = !client;
      if (fresh) client.emplace(port);
      if (!exchange(*client, request, fresh, tally)) client.reset();
    } catch (const std::exception& failure) {
      tally.fault(failure.what(), request.bytes);
      client.reset();
    }
  }
}

std::string probe_request(const std::string& token, const std::array<float, 8>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }";
  header.resize(117, ' ');
  std::string body("\x93NUMPY\x01\x00\x76\x00", 10);
  body += header + '\n';
  body.append(reinterpret_cast<const char*>(values.data()), sizeof values);
  return "POST /v2/models/probe/infer HTTP/1.1\r\nhost: 127.0.0.1\r\n"
         "authorization: Bearer " + token + "\r\ncontent-type: application/x-npy\r\n"
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void send_probes(std::uint16_t port, const std::string& token, int count, int number,
                 Tally& tally) {
  try {
    TlsClient client(port);
    for (int i = 0; i < count; ++i) {
      std::array<float, 8> values{};
      values.fill(static_cast<float>(number * 1000 + i));
      client.send(probe_request(token, values));
      const auto answer = client.receive();
      if (!answer) return tally.fault("no answer", "a probe");
      tally.count(answer->status);
      const std::string_view sent(reinterpret_cast<const char*>(values.data()), sizeof values);
      if (answer->status != 200 || !answer->body.ends_with(sent)) {
        tally.fault("answered " + answer->head, "a probe");
      }
    }
  } catch (const std::exception& failure) {
    tally.fault(failure.what(), "a probe");
  }
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "model") {
    const ByteVector model = onnx_model(
        OnnxGraph{{onnx_node("Identity", {"x"}, {"y"})},
                  {},
                  {onnx_value("x", OnnxType::f32, {-1, 4})},
                  {onnx_value("y", OnnxType::f32, {-1, 4})}});
    std::ofstream(arguments[1], std::ios::binary) << text_of(model);
    return 0;
  }
  if (arguments.size() != 5) {
    std::fputs("see the head of malformed_requests.cc\n", stderr);
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::stoi(arguments[1]));
  const std::string token = read_token(arguments[2].c_str());
  const int number = std::stoi(arguments[3]);
  const int count = std::stoi(arguments[4]);
  Tally tally;
  {
    std::vector<std::jthread> threads;
    const bool malformed = arguments[0] == "malformed";
    const int each = malformed ? kThreads : number;
    for (int i = 0; i < each; ++i) {
      const int share = count / each + (i < count % each ? 1 : 0);
      threads.emplace_back([&, i, share] {
        if (!malformed) return send_probes(port, token, share, i, tally);
        const auto seed = static_cast<std::uint64_t>(number) * kThreads + static_cast<unsigned>(i);
        send_malformed(port, RequestMaker(seed, token, "probe"), share, tally);
      });
    }
  }
  return tally.report();
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::run(std::vector<std::string>(argv + 1, argv + argc));
}
