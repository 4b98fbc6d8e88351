#include "sandbox/linux/confine.h"

#include <fcntl.h>
#include <link.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "sandbox/linux/descriptor.h"

namespace cloister {
namespace {

constexpr std::uint64_t kReading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                   LANDLOCK_ACCESS_FS_EXECUTE;
// Every right that the first version of Landlock knows: all but reading is refused everywhere.
constexpr std::uint64_t kEverything = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

bool allow_reading(int ruleset, const char* folder) noexcept {
  const Descriptor place(::open(folder, O_PATH | O_CLOEXEC));
  if (!place.open()) return true;  // what is not there need not be allowed
  const landlock_path_beneath_attr rule{kReading, place.number()};
  return ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

// What computing needs: memory without a right to execute, waiting, the clock, and ending. A thread
// that was made before the filter may still have to register itself (rseq, set_robust_list). The
// last four look at a path's attributes, never its content: the runtime insists that the place
// where weights are said to lie exists.
constexpr std::array kAllowed = {
    SCMP_SYS(brk),            SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(exit),           SCMP_SYS(exit_group),    SCMP_SYS(futex),
    SCMP_SYS(getpid),         SCMP_SYS(getrandom),     SCMP_SYS(gettid),
    SCMP_SYS(madvise),        SCMP_SYS(mremap),        SCMP_SYS(munmap),
    SCMP_SYS(restart_syscall), SCMP_SYS(rseq),         SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),   SCMP_SYS(sched_yield),   SCMP_SYS(set_robust_list),
    SCMP_SYS(lstat),          SCMP_SYS(newfstatat),    SCMP_SYS(readlink),
    SCMP_SYS(stat),
};

// What the runtime needs beside these to write a file.
constexpr std::array kAllowedToOptimise = {
    SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(ftruncate), SCMP_SYS(lseek),
    SCMP_SYS(open),  SCMP_SYS(openat), SCMP_SYS(write),
};

Descriptor make_ruleset() noexcept {
  const landlock_ruleset_attr handled{kEverything};
  return Descriptor(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0)));
}

/// Landlock without one allowed path: what remains are files that have no place in any folder.
Status forbid_paths() {
  const Descriptor ruleset = make_ruleset();
  if (!ruleset.open() || ::syscall(SYS_landlock_restrict_self, ruleset.number(), 0) != 0) {
    return Error{Code::io, "sandbox.landlock"};
  }
  return Done{};
}

struct FilterDeleter {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};

Status set_filter(Duty duty) {
  const std::unique_ptr<void, FilterDeleter> filter(
      ::seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return Error{Code::io, "sandbox.filter"};
  bool made = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0;
  for (const int call : kAllowed) {
    made = made && ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
  }
  if (duty == Duty::optimise) {
    for (const int call : kAllowedToOptimise) {
      made = made && ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
    }
  }
  // Mapping is allowed as long as the result cannot be executed. Shared memory would count as
  // nobody's: neither RLIMIT_DATA nor the server's measuring sees it.
  const auto protection = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  const auto sharing = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, 0);
  made = made && ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, protection,
                                    sharing) == 0;
  made = made && ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                    protection) == 0;
  // abort() may end this process.
  const auto self = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()));
  made = made && ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, self) == 0;
  if (!made || ::seccomp_load(filter.get()) != 0) return Error{Code::io, "sandbox.filter"};
  return Done{};
}

/// Bytes of addresses that are mapped now.
Result<std::uint64_t> mapped_bytes() {
  const Descriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  unsigned long long pages = 0;
  if (!file.open() || ::read(file.number(), text.data(), text.size() - 1) <= 0 ||
      std::sscanf(text.data(), "%llu", &pages) != 1) {
    return Error{Code::io, "sandbox.statm"};
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What the process may have from now on: private memory, addresses (pages that are only read cost
/// the kernel tables), and bytes in one file.
Status set_limits(std::uint64_t memory_max, std::uint64_t file_max) {
  constexpr std::uint64_t kAddressesBeside = 8ULL << 30;  // of arenas, taken and not used
  CLOISTER_ASSIGN(const std::uint64_t mapped, mapped_bytes());
  const std::uint64_t addresses_max = mapped + memory_max + kAddressesBeside;
  const rlimit memory{memory_max, memory_max};
  const rlimit addresses{addresses_max, addresses_max};
  const rlimit file{file_max, file_max};
  if (::setrlimit(RLIMIT_DATA, &memory) != 0 || ::setrlimit(RLIMIT_AS, &addresses) != 0 ||
      ::setrlimit(RLIMIT_FSIZE, &file) != 0) {
    return Error{Code::io, "sandbox.limits"};
  }
  return Done{};
}

}  // namespace

bool restrict_files() noexcept {
  const Descriptor ruleset = make_ruleset();
  if (!ruleset.open()) return false;
  for (const char* const folder : {"/proc", "/sys/devices", "/lib", "/lib64", "/usr/lib"}) {
    if (!allow_reading(ruleset.number(), folder)) return false;
  }
  return ::syscall(SYS_landlock_restrict_self, ruleset.number(), 0) == 0;
}

void touch_code() noexcept {
  const auto touch = [](dl_phdr_info* library, std::size_t, void* page) {
    const std::uintptr_t mask = *static_cast<const std::uintptr_t*>(page) - 1;
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& part = library->dlpi_phdr[i];
      if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
      const std::uintptr_t start = (library->dlpi_addr + part.p_vaddr) & ~mask;
      const std::uintptr_t end = library->dlpi_addr + part.p_vaddr + part.p_memsz;
      ::madvise(reinterpret_cast<void*>(start), end - start, MADV_POPULATE_READ);
    }
    return 0;
  };
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::dl_iterate_phdr(touch, &page);
}

Status lock_down(Duty duty, std::uint64_t memory_max, std::uint64_t file_max) {
  CLOISTER_TRY(set_limits(memory_max, file_max));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error{Code::io, "sandbox.privileges"};
  }
  if (duty == Duty::optimise) CLOISTER_TRY(forbid_paths());
  return set_filter(duty);
}

}  // namespace cloister
