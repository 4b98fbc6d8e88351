#include "base/posix/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

extern char** environ;

namespace cloister {
namespace {

constexpr std::size_t kReadStep = 1U << 20;
constexpr int kLowPriority = 10;  // beside an ordinary thread, about a tenth of the processor

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

std::chrono::nanoseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

ProcessUsage process_usage() noexcept {
  ProcessUsage usage;
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    usage.cpu_time = duration_of(used.ru_utime) + duration_of(used.ru_stime);
  }
  // Pages: the whole size, then what is resident.
  const Descriptor file(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const auto count = file.number() < 0 ? -1 : read(file.number(), text.data(), text.size());
  if (count <= 0) return usage;
  const char* const begin = text.data();
  const char* const end = begin + count;
  const char* const space = std::find(begin, end, ' ');
  std::uint64_t pages = 0;
  if (space != end && std::from_chars(space + 1, end, pages).ec == std::errc()) {
    usage.resident_bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return usage;
}

Status drop_environment(char** argv, const std::vector<std::string>& kept) {
  bool clean = true;
  std::size_t count = 0;
  for (char** each = environ; *each != nullptr; ++each, ++count) {
    clean = clean && std::find(kept.begin(), kept.end(), std::string_view(*each)) != kept.end();
  }
  if (clean && count == kept.size()) return Done{};
  std::vector<std::string> copies = kept;
  std::vector<char*> environment;
  for (std::string& each : copies) environment.push_back(each.data());
  environment.push_back(nullptr);
  execve("/proc/self/exe", argv, environment.data());
  return Error{Code::io, "process.restart"};
}

Status harden_process() {
  umask(077);
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return Error{Code::io, "process.core_limit"};
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Error{Code::io, "process.dumpable"};
  return Done{};
}

Status allow_open_files(std::uint64_t least) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Error{Code::io, "process.open_files"};
  if (limit.rlim_max < least) return Error{Code::unavailable, "process.open_files"};
  if (limit.rlim_cur >= least) return Done{};
  limit.rlim_cur = least;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return Error{Code::io, "process.open_files"};
  return Done{};
}

void lower_thread_priority() noexcept {
  // On Linux the calling thread's alone.
  setpriority(PRIO_PROCESS, 0, std::max(kLowPriority, getpriority(PRIO_PROCESS, 0)));
}

Result<bool> swap_is_active() {
  CLOISTER_ASSIGN(const ByteVector swaps, read_operator_file("/proc/swaps", kReadStep));
  // The first line is the heading; every other one is an active swap area.
  const std::string_view text = text_of(swaps);
  return std::count(text.begin(), text.end(), '\n') > 1;
}

void block_stop_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool wait_for_stop_signal(std::chrono::seconds most) {
  const sigset_t set = stop_signals();
  const timespec limit{static_cast<std::time_t>(most.count()), 0};
  return sigtimedwait(&set, nullptr, &limit) > 0;
}

Result<std::string> program_path() {
  std::string path(4096, '\0');
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) >= path.size()) {
    return Error{Code::io, "process.path"};
  }
  path.resize(static_cast<std::size_t>(size));
  return path;
}

Result<ByteVector> read_operator_file(const std::string& path, std::uint64_t bytes_max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.number() < 0) {
    return Error{errno == ENOENT ? Code::not_found : Code::io, "process.open"};
  }
  ByteVector content;
  for (;;) {
    const std::size_t size = content.size();
    content.resize(size + kReadStep);
    const ssize_t got = read(file.number(), content.data() + size, kReadStep);
    if (got < 0 && errno == EINTR) {
      content.resize(size);
      continue;
    }
    if (got < 0) return Error{Code::io, "process.read"};
    content.resize(size + static_cast<std::size_t>(got));
    if (content.size() > bytes_max) return Error{Code::too_large, "process.read"};
    if (got == 0) return content;
  }
}

}  // namespace cloister
