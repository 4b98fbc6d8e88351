#include "sandbox/linux/weights_gate.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "model/weights_arrival.h"
#include "sandbox/linux/wait_word.h"

namespace cloister {
namespace {

// A step takes a few hundred microseconds to arrive. The server does not wake whoever waits for it:
// it may be that nobody does.
constexpr std::chrono::microseconds kLookEvery{50};
// What becomes readable at once: as much as a huge page has, which stays one only where all of it
// is readable.
constexpr std::uint64_t kUnit = 2U << 20;
static_assert(kUnit % kArrivalStep == 0);
constexpr greg_t kWriteFault = 2;  // in a page fault's error code
constexpr int kEndedByFault = 139;

/// What the handler knows: a signal handler has no other way to be told.
struct Gate {
  std::byte* start = nullptr;
  std::size_t size = 0;
  const std::atomic<std::uint32_t>* arrived = nullptr;
};
Gate gate;

void on_fault(int, siginfo_t* fault, void* context) {
  const int saved = errno;
  const auto* const touched = static_cast<const std::byte*>(fault->si_addr);
  const auto* const machine = static_cast<const ucontext_t*>(context);
  const bool inside = touched >= gate.start && touched < gate.start + gate.size;
  if (!inside || (machine->uc_mcontext.gregs[REG_ERR] & kWriteFault) != 0) ::_exit(kEndedByFault);
  const std::size_t from = static_cast<std::size_t>(touched - gate.start) / kUnit * kUnit;
  const std::size_t to = std::min(gate.size, from + kUnit);
  std::uint32_t there = gate.arrived->load(std::memory_order_acquire);
  while (there * kArrivalStep < to) {
    wait_on_word(*gate.arrived, there, kLookEvery);
    there = gate.arrived->load(std::memory_order_acquire);
  }
  if (there == kArrivalFailed) ::_exit(kEndedByFault);
  std::size_t readable = gate.size;
  if (there * kArrivalStep < readable) readable = there * kArrivalStep / kUnit * kUnit;
  if (::mprotect(gate.start, readable, PROT_READ) != 0) ::_exit(kEndedByFault);
  // What was touched is about to be read: one call maps its pages, not one fault for each few.
  ::madvise(gate.start + from, to - from, MADV_POPULATE_READ);
  errno = saved;
}

}  // namespace

Status let_faults_through() {
  sigset_t faults;
  ::sigemptyset(&faults);
  ::sigaddset(&faults, SIGSEGV);
  if (::pthread_sigmask(SIG_UNBLOCK, &faults, nullptr) != 0) {
    return Error{Code::io, "worker.faults"};
  }
  return Done{};
}

Status wait_for_weights_on_touch(MutableBytes weights,
                                 const std::atomic<std::uint32_t>& arrived) {
  gate = {weights.data(), weights.size(), &arrived};
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (::sigaction(SIGSEGV, &action, nullptr) != 0) return Error{Code::io, "worker.gate"};
  return Done{};
}

}  // namespace cloister
