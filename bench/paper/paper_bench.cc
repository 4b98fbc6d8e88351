// What `./dev bench paper` times with. Commands come by standard input, a line each, and every one
// is answered with one line; durations are in nanoseconds.
//   paper_bench client
//     server NAME PORT REQUEST_FILE       connects; the file is the whole HTTP request
//     floor NAME PORT BODY_FILE BYTES     connects to a bare TLS server that answers BYTES
//     ask NAME                            one exchange: its duration
//     save NAME FILE                      writes the last answer's body
//     close NAME
//   paper_bench direct INPUT_NAME INPUT_NPY OUTPUT_NAME...
//     start MODEL                         CreateSession and Run: their duration
//     run                                 Run: its duration
//     save FILE                           the last outputs as they lie in memory, in turn
//     stop                                releases the session
//   paper_bench bare REQUEST_BYTES ANSWER_BYTES
//     prints its port, ends with its standard input
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "paper/asked.h"
#include "support/plain_session.h"
#include "tensor/npy.h"

namespace cloister {
namespace {

using Words = std::vector<std::string>;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CLOISTER_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <class Work>
long long nanoseconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
}

void reply(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

template <class Command>
int answer_lines(Command command) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream stream(line);
    const Words words{std::istream_iterator<std::string>(stream), {}};
    CLOISTER_CHECK(!words.empty());
    reply(command(words));
  }
  return 0;
}

int serve_client() {
  std::map<std::string, Asked> asked;
  return answer_lines([&](const Words& words) -> std::string {
    const std::string& name = words.at(1);
    const auto port = [&] { return static_cast<std::uint16_t>(std::stoi(words.at(2))); };
    if (words[0] == "server") {
      asked.emplace(name, Asked::server(port(), read_file(words.at(3))));
    } else if (words[0] == "floor") {
      asked.emplace(name, Asked::floor(port(), read_file(words.at(3)), std::stoul(words.at(4))));
    } else if (words[0] == "ask") {
      Asked& one = asked.at(name);
      const long long took = nanoseconds([&] { one.ask(); });
      return std::to_string(took);
    } else if (words[0] == "save") {
      std::ofstream(words.at(2), std::ios::binary) << asked.at(name).body();
    } else {
      CLOISTER_CHECK(words[0] == "close");
      asked.erase(name);
    }
    return "ok";
  });
}

int serve_direct(const Words& words) {
  const std::string file = read_file(words.at(1));
  const TensorView input =
      npy_tensor(read_npy(bytes_of(file)).value(), MutableBytes()).value();
  const std::vector<NamedTensorView> inputs{{words[0], input}};
  const Words outputs(words.begin() + 2, words.end());
  std::unique_ptr<PlainSession> session;
  return answer_lines([&](const Words& command) -> std::string {
    if (command[0] == "start") {
      session.reset();
      return std::to_string(nanoseconds([&] {
        session = std::make_unique<PlainSession>(command.at(1), true);
        session->compute(inputs, outputs);
      }));
    }
    if (command[0] == "run") {
      return std::to_string(nanoseconds([&] { session->compute(inputs, outputs); }));
    }
    if (command[0] == "save") {
      std::ofstream saved(command.at(1), std::ios::binary);
      for (std::size_t i = 0; i < outputs.size(); ++i) saved << text_of(session->values(i));
    } else {
      CLOISTER_CHECK(command[0] == "stop");
      session.reset();
    }
    return "ok";
  });
}

int serve_bare(const Words& words) {
  const BareServer server(std::stoul(words.at(0)), std::stoul(words.at(1)));
  reply(std::to_string(server.port()));
  while (std::getchar() != EOF) {
  }
  return 0;
}

int main_of(const Words& words) {
  if (words.size() == 1 && words[0] == "client") return serve_client();
  const Words rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (words.size() >= 4 && words[0] == "direct") return serve_direct(rest);
  if (words.size() == 3 && words[0] == "bare") return serve_bare(rest);
  std::fputs("paper_bench client | direct INPUT_NAME INPUT_NPY OUTPUT... | bare BYTES BYTES\n",
             stderr);
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  return cloister::main_of(cloister::Words(argv + 1, argv + argc));
}
