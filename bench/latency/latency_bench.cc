// Times one round after the other: the runtime called directly, the bare floor, the server.
//   latency_bench model FILE
//   latency_bench run MODEL ROUNDS PORT PATH TOKEN_FILE
// prints, for `run`, one line a round: direct, floor and server in nanoseconds.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/check.h"
#include "latency/direct_model.h"
#include "support/bare_tls.h"

namespace cloister {
namespace {

constexpr std::size_t kPixels = 3 * 224 * 224;
constexpr std::size_t kClasses = 1000;
constexpr std::size_t kNpyHeader = 128;
constexpr std::size_t kRequestBytes = kNpyHeader + kPixels * sizeof(float);
constexpr std::size_t kAnswerBytes = kNpyHeader + kClasses * sizeof(float);
constexpr int kWarmUps = 20;

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> image() {
  std::vector<float> pixels(kPixels);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<float>(i * 2654435761U % 1000U) / 1000.0F - 0.5F;
  }
  return pixels;
}

std::string npy(const std::vector<float>& pixels) {
  std::string text("\x93NUMPY\x01\x00\x76\x00", 10);
  text += "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }";
  text.resize(kNpyHeader - 1, ' ');
  text += '\n';
  text.append(reinterpret_cast<const char*>(pixels.data()), pixels.size() * sizeof(float));
  return text;
}

template <class Work>
long long nanoseconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                              begin)
      .count();
}

/// The server's side of the comparison: the same client, with a request around the bytes.
class ServedModel {
 public:
  ServedModel(std::uint16_t port, const std::string& path, const std::string& token,
              const std::string& body)
      : connection_(BareTls::connect(port)), answer_(kAnswerBytes + 8192) {
    request_ = "POST " + path + " HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer " + token +
               "\r\ncontent-type: application/x-npy\r\naccept: application/x-npy\r\n"
               "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  void ask() {
    connection_.write(bytes_of(request_));
    received_ = 0;
    std::size_t whole = 0;
    while (whole == 0 || received_ < whole) {
      const std::size_t count = connection_.read_some(MutableBytes(answer_).subspan(received_));
      CLOISTER_CHECK(count > 0);
      received_ += count;
      if (whole == 0) whole = answer_size();
    }
    CLOISTER_CHECK(received_ == whole);
  }

  /// The last answer's floats.
  std::vector<float> results() const {
    std::vector<float> values(kClasses);
    std::memcpy(values.data(), answer_.data() + received_ - values.size() * sizeof(float),
                values.size() * sizeof(float));
    return values;
  }

 private:
  /// Head and body together, once the head is there.
  std::size_t answer_size() const {
    const std::string_view text = text_of(Bytes(answer_).first(received_));
    const std::size_t end = text.find("\r\n\r\n");
    if (end == text.npos) return 0;
    if (!text.starts_with("HTTP/1.1 200 ")) {
      std::fprintf(stderr, "the server answered %.*s\n", static_cast<int>(text.size()),
                   text.data());
      std::exit(1);
    }
    constexpr std::string_view kLength = "content-length: ";
    const std::size_t at = text.find(kLength);
    CLOISTER_CHECK(at < end);
    std::size_t length = 0;
    std::from_chars(text.data() + at + kLength.size(), text.data() + end, length);
    return end + 4 + length;
  }

  BareTls connection_;
  std::string request_;
  ByteVector answer_;
  std::size_t received_ = 0;
};

int run(const std::vector<std::string>& arguments) {
  const int rounds = std::stoi(arguments[1]);
  const auto port = static_cast<std::uint16_t>(std::stoi(arguments[2]));
  std::string token = read_file(arguments[4].c_str());
  while (!token.empty() && token.back() == '\n') token.pop_back();

  // Forks, hence before the runtime has threads.
  const BareServer floor_server(kRequestBytes, kAnswerBytes);
  const std::string model = read_file(arguments[0].c_str());
  const std::vector<float> pixels = image();
  const std::string body = npy(pixels);
  DirectModel direct(bytes_of(model));
  BareTls floor = BareTls::connect(floor_server.port());
  ServedModel served(port, arguments[3], token, body);
  ByteVector answer(kAnswerBytes);

  for (int round = -kWarmUps; round < rounds; ++round) {
    long long took[3] = {};
    // Each goes first, second and last equally often: what one leaves in the caches is shared out.
    for (int turn = 0; turn < 3; ++turn) {
      switch ((round + kWarmUps + turn) % 3) {
        case 0:
          took[0] = nanoseconds([&] { direct.run(pixels); });
          break;
        case 1:
          took[1] = nanoseconds([&] {
            floor.write(bytes_of(body));
            CLOISTER_CHECK(floor.read(answer));
          });
          break;
        default:
          took[2] = nanoseconds([&] { served.ask(); });
      }
    }
    if (round >= 0) std::printf("%lld %lld %lld\n", took[0], took[1], took[2]);
  }
  const auto expected = direct.run(pixels);
  const std::vector<float> results = served.results();
  CLOISTER_CHECK(std::equal(expected.begin(), expected.end(), results.begin(), results.end()));
  return 0;
}

int main_of(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "model") {
    const ByteVector model = cheap_model();
    std::ofstream(arguments[1], std::ios::binary) << text_of(model);
    return 0;
  }
  if (arguments.size() == 6 && arguments[0] == "run") {
    return run({arguments.begin() + 1, arguments.end()});
  }
  std::fputs("latency_bench model FILE | run MODEL ROUNDS PORT PATH TOKEN_FILE\n", stderr);
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
