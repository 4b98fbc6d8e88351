// A worker that breaks the rules. Which one is told by the name of its model's first input.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sandbox/lane.h"
#include "sandbox/linux/confine.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/socket.h"
#include "sandbox/linux/wait_word.h"
#include "sandbox/linux/worker_process.h"

namespace cloister {
namespace {

constexpr std::chrono::hours kForever{24};

[[noreturn]] void hang() {
  static std::atomic<std::uint32_t> never{0};
  for (;;) wait_on_word(never, 0, kForever);
}

void await(const Lane& lane, std::uint32_t turn) {
  const auto& word = lane.head().request_turn;
  for (std::uint32_t now = word; now != turn; now = word) wait_on_word(word, now, kForever);
}

void finish(const Lane& lane, std::uint32_t turn) {
  lane.head().reply_turn = turn;
  wake_word(lane.head().reply_turn);
}

/// Whether new memory can be mapped so; where a limit refuses it, as if the filter did.
long map(std::size_t bytes, int protection, int kind) {
  void* const pages =
      ::mmap(nullptr, bytes, protection, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED && errno == ENOMEM) errno = EPERM;
  return pages == MAP_FAILED ? -1 : 0;
}

/// Tries everything that the door must keep shut; the names of what was not refused.
std::string open_doors(pid_t server, Bytes weights) {
  char byte = 0;
  iovec here{&byte, 1}, there{&byte, 1};
  char* const nothing[] = {nullptr};
  constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, kAnonymous, -1, 0);
  const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
  const auto weight_page = reinterpret_cast<std::uintptr_t>(weights.data());
  const std::vector<std::pair<const char*, std::function<long()>>> doors = {
      {"open", [] { return ::open("/etc/passwd", O_RDONLY); }},
      {"openat2", [] { return ::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0); }},
      {"memory of self", [] { return ::open("/proc/self/mem", O_RDWR); }},
      {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"socketpair", [] { return ::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nullptr); }},
      {"execve", [&] { return ::execve("/bin/true", nothing, nothing); }},
      {"execveat", [&] { return ::syscall(SYS_execveat, 4, "", nothing, nothing, AT_EMPTY_PATH); }},
      {"fork", [] { return ::syscall(SYS_fork); }},
      {"vfork", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0); }},
      {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }},
      {"executable mapping", [] { return map(4096, PROT_READ | PROT_EXEC, MAP_PRIVATE); }},
      {"shared mapping", [] { return map(4096, PROT_READ | PROT_WRITE, MAP_SHARED); }},
      {"addresses without end", [] { return map(std::size_t{1} << 45, PROT_READ, MAP_PRIVATE); }},
      {"executable page", [&] { return ::mprotect(page, 4096, PROT_READ | PROT_EXEC); }},
      {"executable key", [&] { return ::syscall(SYS_pkey_mprotect, page, 4096, PROT_EXEC, -1); }},
      {"writable weights",
       [&] { return ::syscall(SYS_mprotect, weight_page, 4096, PROT_READ | PROT_WRITE); }},
      {"kill server", [&] { return ::kill(server, 0); }},
      {"kill everybody", [] { return ::kill(-1, 0); }},
      {"signal server", [&] { return ::syscall(SYS_tgkill, server, server, 0); }},
      {"signal by descriptor", [&] { return ::syscall(SYS_pidfd_open, server, 0); }},
      {"ptrace", [&] { return ::ptrace(PTRACE_ATTACH, server, nullptr, nullptr); }},
      {"read server",
       [&] { return ::syscall(SYS_process_vm_readv, server, &here, 1, &there, 1, 0); }},
      {"write server",
       [&] { return ::syscall(SYS_process_vm_writev, server, &here, 1, &there, 1, 0); }},
      {"memory file", [] { return ::memfd_create("x", 0); }},
      {"raise limits", [&] { return ::setrlimit(RLIMIT_DATA, &more); }},
      {"receive", [] { return ::recv(kWorkerSocket, nullptr, 0, MSG_DONTWAIT); }},
      {"send", [] { return ::send(kWorkerSocket, "x", 1, MSG_NOSIGNAL); }},
      {"duplicate", [] { return ::dup(kWorkerSocket); }},
      {"prctl", [] { return ::syscall(SYS_prctl, 4, 1, 0, 0, 0); }},
      {"unshare", [] { return ::syscall(SYS_unshare, 0x10000000); }},
      {"mount", [] { return ::syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr); }},
      {"io_uring", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
      {"shared memory", [] { return ::syscall(SYS_shmget, 1, 4096, 01600); }},
      {"message queue", [] { return ::syscall(SYS_msgget, 1, 01600); }},
  };
  std::string open;
  for (const auto& [name, attempt] : doors) {
    errno = 0;
    const long result = attempt();
    // EPERM is the filter's answer, EACCES that of a sealed file's mapping.
    if (result >= 0 || (errno != EPERM && errno != EACCES)) open += std::string(name) + "; ";
  }
  return open.empty() ? "all denied" : open;
}

std::string fill_memory() {
  std::size_t taken = 0;
  for (;;) {
    auto* const piece = static_cast<char*>(std::malloc(16U << 20));
    if (piece == nullptr) return "stopped at " + std::to_string(taken >> 20U);
    std::memset(piece, 1, 16U << 20);
    taken += 16U << 20;
  }
}

bool fork_once() {
  return ::syscall(SYS_fork) >= 0 || ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}
bool open_once() {
  return ::dup(0) >= 0 || ::open("/dev/null", O_RDONLY) >= 0 || ::memfd_create("x", 0) >= 0;
}

/// How often `attempt` came to something.
std::string made(bool (*attempt)()) {
  int count = 0;
  for (int i = 0; i < 10'000; ++i) count += attempt() ? 1 : 0;
  return "made " + std::to_string(count);
}

void answer(const Lane& lane, const std::string& rule, std::uint32_t turn, Bytes weights) {
  const Lane::Request request = lane.read_request(turn).value();
  LaneHead& head = lane.head();
  const TensorView x = request.inputs.at(0).tensor;
  float first = 0;
  std::memcpy(&first, x.data.data(), sizeof(first));
  static float remembered = 0;
  const float before = std::exchange(remembered, first);
  // The answer of an honest worker, for the lies below to change.
  lane.write_reply(turn, {{"y", x}});
  if (first == 0) return finish(lane, turn);  // well behaved on zeros, so at upload
  if (rule == "busy") {  // honest work that takes a processor for so many milliseconds
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::microseconds(std::llround(1000 * first));
    while (std::chrono::steady_clock::now() < end) {
    }
  }
  if (rule == "fork") lane.write_error(turn, Code::internal, made(fork_once));
  if (rule == "descriptors") lane.write_error(turn, Code::internal, made(open_once));
  if (rule == "signals") {
    for (pid_t process = 1; process < 1000; ++process) {
      ::kill(process, SIGKILL);
      ::syscall(SYS_tgkill, process, process, SIGKILL);
    }
    ::raise(SIGSTOP);
  }
  if (rule == "lane") std::memset(lane.data().data(), 1, lane.data().size());
  if (rule == "remember") {
    lane.write_error(turn, Code::internal, "before: " + std::to_string(std::lround(before)));
  }
  if (rule == "hang") hang();
  if (rule == "abort") std::abort();
  if (rule == "crash") __builtin_trap();
  if (rule == "size") head.outputs[0].bytes += 4;
  if (rule == "shape") head.outputs[0].extents[0] = 1ULL << 60;
  if (rule == "range") head.outputs[0].offset = ~std::uint64_t{63};
  if (rule == "type") head.outputs[0].type = 250;
  if (rule == "rank") head.outputs[0].rank = 4'000'000;
  if (rule == "name") head.outputs[0].name = 1;
  if (rule == "count") head.reply.outputs = 1000;
  if (rule == "version") head.reply.version = 2;
  if (rule == "stale") head.reply.turn = turn - 1;
  if (rule == "code") head.reply.code = 9999;
  if (rule == "text") head.reply.text_bytes = 1U << 30;
  if (rule == "denied") lane.write_error(turn, Code::unauthenticated, "no entry");
  if (rule == "turn") return finish(lane, turn + 5);
  if (rule == "flood") {
    for (std::uint32_t i = turn + 1;; ++i) finish(lane, i);
  }
  if (rule == "memory") lane.write_error(turn, Code::internal, fill_memory());
  if (rule == "probe") {
    lane.write_error(turn, Code::internal, open_doors(static_cast<pid_t>(first), weights));
  }
  finish(lane, turn);
  if (rule == "change") {
    auto* const outputs = reinterpret_cast<volatile std::uint64_t*>(&head.outputs[0]);
    for (std::uint64_t i = 0;; ++i) outputs[i % 8] = i * 0x9E3779B97F4A7C15U;
  }
}

/// Writes to the one file that it may write to, and to others.
void optimise_badly(int file, const std::string& rule) {
  const std::string own = "/proc/self/fd/" + std::to_string(file);
  const int opened = ::open(own.c_str(), O_WRONLY | O_TRUNC);
  if (opened < 0) std::abort();
  const std::vector<char> piece(1U << 20, 'x');
  if (rule == "endless") {
    while (::write(opened, piece.data(), piece.size()) > 0) {
    }
  }
  if (rule == "stray") {
    std::string text = "stray";
    for (const char* path : {"/tmp/cloister-stray", "/etc/passwd", "/proc/self/status", "/"}) {
      if (::open(path, O_RDONLY) >= 0 || ::open(path, O_WRONLY | O_CREAT, 0600) >= 0) {
        text += std::string(" opened ") + path;
      }
    }
    (void)!::write(opened, text.data(), text.size());
  }
}

void serve(const Lane& lane, const std::string& rule, std::uint32_t turn, Bytes weights) {
  for (;; ++turn) {
    await(lane, turn);
    answer(lane, rule, turn, weights);
  }
}

void misbehave() {
  ReadyMessage ready;
  ready.landlock = restrict_files() ? 1 : 0;
  (void)send_message(kWorkerSocket, std::as_bytes(std::span(&ready, 1))).ok();
  StartMessage start;
  const auto files = receive_message(kWorkerSocket, std::as_writable_bytes(std::span(&start, 1)),
                                     std::chrono::hours(1)).value();
  const auto bundle_memory =
      Mapping::map(files[0].number(), start.bundle_bytes, Mapping::Access::read).value();
  const GraphBundle bundle = decode_bundle(bundle_memory.bytes()).value();
  Mapping weights;
  if (start.weights_bytes > 0) {
    weights = Mapping::map(files[1].number(), start.weights_bytes, Mapping::Access::read).value();
  }
  std::vector<Mapping> lanes;
  for (std::size_t i = files.size() - start.optimise - start.lanes;
       i < files.size() - start.optimise; ++i) {
    lanes.push_back(
        Mapping::map(files[i].number(), start.lane_bytes, Mapping::Access::read_write).value());
  }
  const Lane lane(lanes[0].bytes(), bundle.signature);
  const std::string rule = bundle.signature.inputs.at(0).name;
  if (rule == "die at load") std::abort();
  if (rule == "hang at load") hang();
  const Duty duty = start.optimise == 1 ? Duty::optimise : Duty::run;
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < lanes.size(); ++i) {
    threads.emplace_back([&, i] {
      serve(Lane(lanes[i].bytes(), bundle.signature), rule, 1, weights.bytes());
    });
  }
  if (!lock_down(duty, start.memory_max, start.file_max).ok()) std::abort();
  if (duty == Duty::optimise) optimise_badly(files.back().number(), rule);
  lane.write_reply(1, {});
  finish(lane, 1);
  serve(lane, rule, 2, weights.bytes());
}

}  // namespace
}  // namespace cloister

int main() { cloister::misbehave(); }
