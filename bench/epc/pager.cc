#include "epc/pager.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "epc/inside.h"

namespace cloister {
namespace {

enum class State : std::uint8_t { never_used, mapped, looked_at, out };

struct Page {
  std::uint64_t version = 0;
  PageTag tag{};
  std::uint32_t next = 0;  ///< in the queue
  State state = State::never_used;
};

/// Ordinary memory as large as is ever needed, given by the kernel only where it is touched.
class HostMemory {
 public:
  explicit HostMemory(std::size_t bytes) : bytes_(bytes) {
    start_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CLOISTER_CHECK(start_ != MAP_FAILED);
  }
  ~HostMemory() { ::munmap(start_, bytes_); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;
  template <class T>
  T* as() const noexcept {
    return static_cast<T*>(start_);
  }

 private:
  void* start_;
  std::size_t bytes_;
};

/// Processor time of this thread, which waits for nothing.
std::uint64_t thread_ns() {
  timespec since{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &since);
  return static_cast<std::uint64_t>(since.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(since.tv_nsec);
}

class Stopwatch {
 public:
  explicit Stopwatch(std::uint64_t& sum) noexcept : sum_(sum) {}
  ~Stopwatch() { sum_ += thread_ns() - start_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::uint64_t& sum_;
  std::uint64_t start_ = thread_ns();
};

/// A descriptor that answers faults of user code by SIGBUS. No privilege is needed for that much.
Result<int> open_fault_descriptor() {
  const auto fault = static_cast<int>(
      ::syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
  if (fault < 0) return Error{Code::unavailable, "epc.userfaultfd"};
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP;
  if (::ioctl(fault, UFFDIO_API, &api) != 0) {
    ::close(fault);
    return Error{Code::unavailable, "epc.features"};
  }
  return fault;
}

Pager* watching = nullptr;
std::span<std::byte> watched;

[[noreturn]] void end(const char* why) {
  std::fprintf(stderr, "epc: %s\n", why);
  ::_exit(70);
}

void on_fault(int, siginfo_t* info, void*) {
  const Side outside(false);
  const int error = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto start = reinterpret_cast<std::uintptr_t>(watched.data());
  if (watching == nullptr || address - start >= watched.size()) end("a bus error elsewhere");
  const Status entered = watching->enter((address - start) / kPageBytes);
  if (!entered.ok()) {
    end(entered.error().code == Code::corrupt ? "a page does not verify" : "a fault without cause");
  }
  errno = error;
}

}  // namespace

PageCounts operator-(const PageCounts& after, const PageCounts& before) {
  return {after.in - before.in,           after.fresh - before.fresh,
          after.out - before.out,         after.noticed - before.noticed,
          after.handling_ns - before.handling_ns, after.cipher_ns - before.cipher_ns};
}

struct Pager::Parts {
  Parts(std::span<std::byte> all, int descriptor, PageCipher made)
      : memory(all),
        fault(descriptor),
        cipher(std::move(made)),
        kept(all.size()),
        table(all.size() / kPageBytes * sizeof(Page)) {}
  ~Parts() { ::close(fault); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  std::span<std::byte> memory;
  int fault;
  PageCipher cipher;
  HostMemory kept;   ///< page by page: content while looked at, sealed content while out
  HostMemory table;  ///< of Page, all zero bytes at first
  PageCounts counts;
  std::uint64_t pages_max = kUnlimited;
  std::uint64_t resident = 0;
  std::uint64_t used = 0;
  std::uint64_t version = 0;
  std::uint32_t front = 0;
  std::uint32_t back = 0;

  Page& page(std::uint64_t number) noexcept { return table.as<Page>()[number]; }
  std::byte* place(std::uint64_t number) const noexcept {
    return memory.data() + number * kPageBytes;
  }
  PageView kept_page(std::uint64_t number) const noexcept {
    return PageView(kept.as<std::byte>() + number * kPageBytes, kPageBytes);
  }

  Status register_memory() const;
  void adopt();
  void queue_by_address();
  void push(std::uint32_t number) noexcept;
  std::uint32_t pop() noexcept;
  void protect(std::uint64_t number) const;
  void look_at(std::uint32_t number);
  void leave(std::uint32_t number);
  void look_and_leave();
  void map(std::uint64_t number);
  Status enter(std::uint64_t number);
};

Status Pager::Parts::register_memory() const {
  uffdio_register wanted{};
  wanted.range.start = reinterpret_cast<std::uintptr_t>(memory.data());
  wanted.range.len = memory.size();
  wanted.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
  if (::ioctl(fault, UFFDIO_REGISTER, &wanted) != 0) return Error{Code::io, "epc.register"};
  return Done{};
}

void Pager::Parts::adopt() {
  std::vector<unsigned char> present(memory.size() / kPageBytes);
  CLOISTER_CHECK(::mincore(memory.data(), memory.size(), present.data()) == 0);
  for (std::uint32_t number = 0; number < present.size(); ++number) {
    if ((present[number] & 1) == 0) continue;
    page(number).state = State::mapped;
    ++used;
  }
  queue_by_address();
}

void Pager::Parts::queue_by_address() {
  resident = 0;
  for (std::uint32_t number = 0; number < memory.size() / kPageBytes; ++number) {
    if (page(number).state == State::mapped) push(number);
  }
}

void Pager::Parts::push(std::uint32_t number) noexcept {
  if (resident++ == 0) {
    front = number;
  } else {
    page(back).next = number;
  }
  back = number;
}

std::uint32_t Pager::Parts::pop() noexcept {
  --resident;
  return std::exchange(front, page(front).next);
}

/// A write to the page from anywhere is a fault from now on, so that none is lost while its content
/// is copied. Only one thread uses the memory, so such a fault would be a mistake and ends the run.
void Pager::Parts::protect(std::uint64_t number) const {
  uffdio_writeprotect wanted{};
  wanted.range.start = reinterpret_cast<std::uintptr_t>(place(number));
  wanted.range.len = kPageBytes;
  wanted.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  if (::ioctl(fault, UFFDIO_WRITEPROTECT, &wanted) != 0) end("a page cannot be protected");
}

void Pager::Parts::look_at(std::uint32_t number) {
  protect(number);
  std::memcpy(kept_page(number).data(), place(number), kPageBytes);
  if (::madvise(place(number), kPageBytes, MADV_DONTNEED) != 0) end("a page cannot be taken away");
  page(number).state = State::looked_at;
}

void Pager::Parts::leave(std::uint32_t number) {
  const Stopwatch sealing(counts.cipher_ns);
  Page& leaving = page(number);
  leaving.version = ++version;
  Result<PageTag> tag = cipher.seal(kept_page(number), number, leaving.version);
  if (!tag.ok()) end("a page cannot be sealed");
  leaving.tag = tag.value();
  leaving.state = State::out;
  ++counts.out;
}

void Pager::Parts::look_and_leave() {
  std::array<std::uint32_t, kLookedAtOnce> leaving{};
  std::size_t count = 0;
  for (std::uint64_t looked = std::min(kLookedAtOnce, resident); looked > 0; --looked) {
    const std::uint32_t number = pop();
    if (page(number).state == State::mapped) {
      look_at(number);
      push(number);
    } else {
      leaving[count++] = number;
    }
  }
  for (std::size_t i = 0; i < count; ++i) leave(leaving[i]);
}

void Pager::Parts::map(std::uint64_t number) {
  uffdio_copy wanted{};
  wanted.dst = reinterpret_cast<std::uintptr_t>(place(number));
  wanted.src = reinterpret_cast<std::uintptr_t>(kept_page(number).data());
  wanted.len = kPageBytes;
  if (::ioctl(fault, UFFDIO_COPY, &wanted) != 0) end("a page cannot be mapped");
  page(number).state = State::mapped;
}

Status Pager::Parts::enter(std::uint64_t number) {
  Page& entering = page(number);
  if (entering.state == State::mapped) return Error{Code::invalid, "epc.enter"};
  if (entering.state == State::looked_at) {
    ++counts.noticed;
    map(number);
    return Done{};
  }
  if (pages_max - resident < kFreeLow) {
    while (pages_max - resident < kFreeHigh) look_and_leave();
  }
  if (entering.state == State::out) {
    const Stopwatch opening(counts.cipher_ns);
    CLOISTER_TRY(cipher.open(kept_page(number), number, entering.version, entering.tag));
  } else {
    ++counts.fresh;
    ++used;
  }
  ++counts.in;
  map(number);
  push(static_cast<std::uint32_t>(number));
  return Done{};
}

Pager::Pager(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}

Result<std::unique_ptr<Pager>> Pager::watch(std::span<std::byte> memory) {
  CLOISTER_CHECK(watching == nullptr && memory.size() / kPageBytes < UINT32_MAX);
  CLOISTER_ASSIGN(const int fault, open_fault_descriptor());
  Result<PageCipher> cipher = PageCipher::make();
  if (!cipher.ok()) {
    ::close(fault);
    return cipher.error();
  }
  auto parts = std::make_unique<Parts>(memory, fault, std::move(cipher).value());
  parts->adopt();
  CLOISTER_TRY(parts->register_memory());
  std::unique_ptr<Pager> pager(new Pager(std::move(parts)));
  watching = pager.get();
  watched = memory;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGBUS, &action, nullptr) != 0) return Error{Code::io, "epc.signal"};
  return pager;
}

Pager::~Pager() {
  ::signal(SIGBUS, SIG_DFL);
  watching = nullptr;
}

void Pager::limit(std::uint64_t pages) {
  CLOISTER_CHECK(pages >= 2 * kFreeHigh);
  parts_->pages_max = pages;
  while (parts_->resident > pages) parts_->look_and_leave();
}

void Pager::send_all_out() {
  while (parts_->resident > 0) parts_->look_and_leave();
}

void Pager::bring_all_in() {
  limit(kUnlimited);
  for (std::uint64_t number = 0; number < parts_->memory.size() / kPageBytes; ++number) {
    const State state = parts_->page(number).state;
    if (state == State::out || state == State::looked_at) CLOISTER_CHECK(enter(number).ok());
  }
  parts_->queue_by_address();
}

std::uint64_t Pager::used() const noexcept { return parts_->used; }
PageCounts Pager::counts() const noexcept { return parts_->counts; }
PageView Pager::stored(std::uint64_t number) noexcept { return parts_->kept_page(number); }

Status Pager::enter(std::uint64_t number) {
  const Stopwatch handling(parts_->counts.handling_ns);
  return parts_->enter(number);
}

}  // namespace cloister
