#include "sandbox/linux/worker_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "sandbox/linux/socket.h"

/// The C library's clone(2) under its other name: the thread sanitizer takes the usual one for a
/// fork and, as the child shares this memory, then believes that this thread is the child's, whose
/// synchronisation it ignores.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace cloister {
namespace {

constexpr int kNamespaces = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr int kProgram = 5;        // descriptor number in the child until it executes
constexpr int kAbove = 64;         // numbers that are free in the child while they are sorted
constexpr uid_t kFirstUser = 0x7000'0000;  // far from every user that a host has
constexpr uid_t kUsers = 0x0100'0000;
constexpr std::size_t kStackBytes = 64U << 10;
constexpr rlim_t kFilesMax = 64;

struct Word {
  std::string_view text;
  bool Confinement::*member;
};
constexpr std::array<Word, 5> kWords{{{"landlock", &Confinement::landlock},
                                      {"own-user", &Confinement::own_user},
                                      {"user-namespace", &Confinement::user_namespace},
                                      {"pid-namespace", &Confinement::pid_namespace},
                                      {"network-namespace", &Confinement::network_namespace}}};
constexpr std::array<std::string_view, 2> kAlways{"seccomp", "limits"};

/// Everything the child needs, made before it exists: it shares this memory and may not allocate.
struct ChildPlan {
  int socket;
  int library;
  int program;
  int nowhere;
  uid_t user;  // 0: stay
  char* const* arguments;
  char* const* environment;
};

int duplicate_above(int number) {
  const long copy = ::syscall(SYS_fcntl, number, F_DUPFD, kAbove);
  if (copy < 0) ::_exit(127);
  return static_cast<int>(copy);
}

void place_descriptor(int from, int to) {
  if (::syscall(SYS_dup2, from, to) < 0) ::_exit(127);
}

// Runs in the child, on the parent's memory but with descriptors of its own, until it executes.
// Everything is a bare system call: library functions keep state of the process (setuid and the
// like), and sanitizers keep a picture of its descriptors, both of which are the parent's.
int run_child(void* argument) {
  const auto& plan = *static_cast<const ChildPlan*>(argument);
  const int socket = duplicate_above(plan.socket);
  const int library = duplicate_above(plan.library);
  const int program = duplicate_above(plan.program);
  const int nowhere = duplicate_above(plan.nowhere);
  for (int number = 0; number <= 2; ++number) place_descriptor(nowhere, number);
  place_descriptor(socket, kWorkerSocket);
  place_descriptor(library, kWorkerLibrary);
  place_descriptor(program, kProgram);
  ::syscall(SYS_fcntl, kProgram, F_SETFD, FD_CLOEXEC);
  ::syscall(SYS_close_range, kProgram + 1, ~0U, 0);
  if (plan.user != 0) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
        ::syscall(SYS_setresgid, plan.user, plan.user, plan.user) != 0 ||
        ::syscall(SYS_setresuid, plan.user, plan.user, plan.user) != 0) {
      ::_exit(127);
    }
  }
  const rlimit none{0, 0};
  const rlimit files{kFilesMax, kFilesMax};
  if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
      ::syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr) != 0 ||
      ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, nullptr) != 0) {
    ::_exit(127);
  }
  ::syscall(SYS_execveat, kProgram, "", plan.arguments, plan.environment, AT_EMPTY_PATH);
  ::_exit(127);
}

struct Child {
  int pid = -1;
  int process = -1;
};

Child clone_child(ChildPlan plan, int namespaces) {
  std::vector<std::byte> stack(kStackBytes);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // A handler of ours must not run in a child that shares our memory.
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Child child;
  child.pid = ::__clone(run_child, stack.data() + stack.size(),
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | namespaces, &plan,
                        &child.process);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return child;
}

/// Stays open: it is read many times a second, and to open it takes longer than to read it.
Descriptor open_memory_count(const std::string& process) {
  const std::string path = "/proc/" + process + "/statm";
  return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::uint64_t private_bytes_of(const Descriptor& memory_count) {
  std::array<char, 128> text{};
  if (::pread(memory_count.number(), text.data(), text.size() - 1, 0) <= 0) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  unsigned long long shared = 0;
  if (std::sscanf(text.data(), "%llu %llu %llu", &total, &resident, &shared) != 3) return 0;
  if (shared > resident) return 0;
  return (resident - shared) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

uid_t next_user() {
  static std::atomic<uid_t> used{0};
  return kFirstUser + used.fetch_add(1, std::memory_order_relaxed) % kUsers;
}

}  // namespace

bool Confinement::covers(const Confinement& demanded) const noexcept {
  return std::ranges::all_of(kWords, [&](const Word& each) {
    return this->*each.member || !(demanded.*each.member);
  });
}

std::string Confinement::words() const {
  std::string text(kAlways[0]);
  text += " " + std::string(kAlways[1]);
  for (const Word& each : kWords) {
    if (this->*each.member) text += " " + std::string(each.text);
  }
  return text;
}

Result<Confinement> Confinement::of(std::span<const std::string> words) {
  Confinement confinement;
  for (const std::string& word : words) {
    if (std::ranges::find(kAlways, word) != kAlways.end()) continue;
    const auto found = std::ranges::find(kWords, word, &Word::text);
    if (found == kWords.end()) return Error{Code::invalid, "sandbox.word"};
    confinement.*found->member = true;
  }
  return confinement;
}

Result<WorkerProcess> WorkerProcess::start(const WorkerProgram& program,
                                           const Confinement& demanded) {
  CLOISTER_ASSIGN(auto ends, make_socket_pair());
  const Descriptor nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nowhere.open()) return Error{Code::io, "sandbox.null"};
  std::vector<std::string> texts = {"cloister-sandbox"};
  texts.insert(texts.end(), program.arguments.begin(), program.arguments.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  // The runtime's memory in huge pages where the host grants them: touching it costs the first run
  // of a model as much as computing does.
  std::string huge_pages = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
  std::array<char*, 2> environment{huge_pages.data(), nullptr};
  const ChildPlan plan{ends.second.number(), program.library, program.program, nowhere.number(),
                       0, arguments.data(), environment.data()};

  const bool root = ::geteuid() == 0;
  struct Way {
    bool user;
    int namespaces;
  };
  // From the strongest down; which one the host permits is found by trying.
  constexpr std::array<Way, 4> kWays{{{true, kNamespaces},
                                      {false, CLONE_NEWUSER | kNamespaces},
                                      {true, 0},
                                      {false, 0}}};
  for (const Way& way : kWays) {
    const bool named = way.namespaces != 0;
    const bool user_namespace = (way.namespaces & CLONE_NEWUSER) != 0;
    const Confinement confinement{way.user, user_namespace, named, named, demanded.landlock};
    if ((way.user && !root) || !confinement.covers(demanded)) continue;
    ChildPlan attempt = plan;
    attempt.user = way.user ? next_user() : 0;
    const Child child = clone_child(attempt, way.namespaces);
    if (child.pid < 0) continue;
    WorkerProcess worker;
    worker.process_ = Descriptor(child.process);
    worker.pid_ = child.pid;
    worker.memory_count_ = open_memory_count(std::to_string(child.pid));
    worker.socket_ = std::move(ends.first);
    worker.confinement_ = confinement;
    worker.confinement_.landlock = false;  // until it says so
    // Having executed it lives; a child that could not become what was planned is gone by now.
    if (worker.alive()) {
      if (!worker.memory_count_.open()) return Error{Code::io, "sandbox.memory_count"};
      return worker;
    }
    ends.first = std::move(worker.socket_);
  }
  return Error{Code::unavailable, "sandbox.start"};
}

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(pid_, other.pid_);
  std::swap(memory_count_, other.memory_count_);
  std::swap(socket_, other.socket_);
  std::swap(confinement_, other.confinement_);
  return *this;
}

WorkerProcess::~WorkerProcess() {
  if (!process_.open()) return;
  end();
  siginfo_t how{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process_.number()), &how, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

bool WorkerProcess::alive() const noexcept {
  if (!process_.open()) return false;
  pollfd ended{process_.number(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

void WorkerProcess::end() const noexcept {
  ::syscall(SYS_pidfd_send_signal, process_.number(), SIGKILL, nullptr, 0);
}

std::uint64_t WorkerProcess::private_bytes() const {
  return private_bytes_of(memory_count_);
}

std::optional<std::chrono::nanoseconds> WorkerProcess::processor_time() const {
  clockid_t clock{};
  timespec time{};
  if (!alive() || ::clock_getcpuclockid(pid_, &clock) != 0 ||
      ::clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::uint64_t private_bytes_of_this_process() {
  static const Descriptor memory_count = open_memory_count("self");
  if (memory_count.open()) return private_bytes_of(memory_count);
  return private_bytes_of(open_memory_count("self"));  // not counted, it would be taken for free
}

}  // namespace cloister
