// One model under a bounded enclave page cache, as `NAME NUMBER...`, a line for each measurement,
// times in nanoseconds.
//   epc_bench seal MODEL SEALED          writes the model's encrypted file
//   epc_bench cold MODEL SEALED MIB      from the encrypted file to the first answer; MIB 0: plain
//   epc_bench hot MODEL RUNS SIZE...     hot runs, RUNS of them counted for each SIZE: MIB, "fits"
//                                        (a hot run's pages and those that the driver keeps free)
//                                        or "wanted" (a search for the smallest that is enough)
// Lines: `plain NS`, a run without paging; `working_set PAGES`; `used PAGES`, ever in use; `cost
// NS`, of a page in; `wanted MIB`; and for each size
//   `at MIB RUNS IN FRESH OUT NOTICED TOOK_NS HANDLING_NS CIPHER_NS`.
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "epc/host_calls.h"
#include "epc/enclave_model.h"
#include "epc/pager.h"
#include "epc/paging_cost.h"
#include "epc/sealed_file.h"

namespace cloister {
namespace {

constexpr std::uint64_t kPagesPerMib = 256;
constexpr double kSlowdownWanted = 1.05;
constexpr int kSettlingRunsMax = 3;
constexpr int kPlainRuns = 3;

std::uint64_t read_clock(clockid_t clock) {
  timespec since{};
  ::clock_gettime(clock, &since);
  return static_cast<std::uint64_t>(since.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(since.tv_nsec);
}

/// All is one thread's work that waits for nothing but the disk, so that its processor time is its
/// time on a machine that does nothing else.
std::uint64_t thread_now() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
std::uint64_t wall_now() { return read_clock(CLOCK_MONOTONIC); }

void report(const char* name, std::uint64_t number) {
  std::printf("%s %llu\n", name, static_cast<unsigned long long>(number));
}

void report_at(std::uint64_t mib, std::uint64_t runs, const PageCounts& c, std::uint64_t took) {
  std::printf("at");
  for (const std::uint64_t number : {mib, runs, c.in, c.fresh, c.out, c.noticed, took,
                                     c.handling_ns, c.cipher_ns}) {
    std::printf(" %llu", static_cast<unsigned long long>(number));
  }
  std::printf("\n");
  std::fflush(stdout);
}

std::unique_ptr<Pager> watch_heap() {
  Result<std::unique_ptr<Pager>> pager = Pager::watch(enclave_heap().memory());
  if (!pager.ok()) {
    std::fprintf(stderr, "this kernel or container does not permit userfaultfd (%s)\n",
                 pager.error().where.text);
    std::exit(3);
  }
  return std::move(pager).value();
}

Signature signature_of(const std::string& path) { return admit_file(path).bundle.signature; }

int cold(const std::string& model_path, const std::string& sealed_path, std::uint64_t mib) {
  const Signature signature = signature_of(model_path);
  const auto runtime = EnclaveModel::open_runtime();
  drop_from_cache(sealed_path);
  std::unique_ptr<Pager> pager;
  if (mib > 0) {
    pager = watch_heap();
    pager->limit(mib * kPagesPerMib);
  }
  const PageCounts before = pager ? pager->counts() : PageCounts{};
  const std::uint64_t start = wall_now();
  const EnclaveBytes sealed = read_into_enclave(sealed_path);
  const std::uint64_t reading = wall_now() - start;
  const std::uint64_t rest = thread_now();
  const EnclaveBytes plain = open_sealed(sealed);
  EnclaveModel model(runtime, plain, signature);
  model.run();
  const std::uint64_t took = reading + thread_now() - rest;
  if (pager) {
    report("used", pager->used());
    report("cost", static_cast<std::uint64_t>(kSecondsPerSwap * 1e9));
    report_at(mib, 1, pager->counts() - before, took);
  } else {
    report("plain", took);
  }
  std::fflush(stdout);
  ::_exit(0);  // what is paged out is not worth bringing in again
}

class HotModel {
 public:
  HotModel(const std::string& path, std::uint64_t runs)
      : runs_(runs), model_(load(path)), pager_(nullptr) {
    model_.run();
    expected_ = model_.run();
    run_plain();
    enclave_heap().forget_free_pages();
    pager_ = watch_heap();
    report("used", pager_->used());
    report("cost", static_cast<std::uint64_t>(kSecondsPerSwap * 1e9));
    pager_->send_all_out();
    const std::uint64_t before = pager_->counts().in;
    run();
    working_set_ = pager_->counts().in - before;
    report("working_set", working_set_);
    pager_->bring_all_in();
  }

  /// Slowdown at a size; reports what was counted, then runs plainly again.
  double measure(std::uint64_t mib) {
    pager_->limit(mib * kPagesPerMib);
    settle();
    const PageCounts before = pager_->counts();
    const std::uint64_t start = thread_now();
    for (std::uint64_t i = 0; i < runs_; ++i) run();
    const std::uint64_t took = thread_now() - start;
    const PageCounts counted = pager_->counts() - before;
    report_at(mib, runs_, counted, took);
    pager_->bring_all_in();
    run();
    run_plain();
    const double paging = static_cast<double>(counted.in) * kSecondsPerSwap * 1e9 /
                          static_cast<double>(runs_);
    return 1 + paging / median_plain();
  }

  /// The size in MiB at which nothing need leave.
  std::uint64_t fits() const { return (working_set_ + Pager::kFreeHigh) / kPagesPerMib + 1; }

  /// The smallest size, in MiB, at which the slowdown is no more than is wanted.
  void search() {
    std::uint64_t enough = fits();
    while (measure(enough) > kSlowdownWanted) enough += enough / 8 + 1;
    std::uint64_t short_of = 0;
    while (enough - short_of > 1) {
      const std::uint64_t middle = (enough + short_of) / 2;
      (measure(middle) <= kSlowdownWanted ? enough : short_of) = middle;
    }
    report("wanted", enough);
  }

 private:
  static EnclaveModel load(const std::string& path) {
    const Signature signature = signature_of(path);
    const auto runtime = EnclaveModel::open_runtime();
    return EnclaveModel(runtime, read_into_enclave(path), signature);
  }

  void run() {
    if (model_.run() == expected_) return;
    std::fprintf(stderr, "the answer changed\n");
    std::exit(1);
  }

  void run_plain() {
    for (int i = 0; i < kPlainRuns; ++i) {
      const std::uint64_t start = thread_now();
      run();
      plain_.push_back(thread_now() - start);
      report("plain", plain_.back());
    }
  }

  /// Runs until one brings in as many pages as the one before.
  void settle() {
    std::uint64_t last = UINT64_MAX;
    for (int i = 0; i < kSettlingRunsMax; ++i) {
      const std::uint64_t before = pager_->counts().in;
      run();
      const std::uint64_t entered = pager_->counts().in - before;
      if (entered == last) break;
      last = entered;
    }
  }

  double median_plain() {
    std::sort(plain_.begin(), plain_.end());
    return static_cast<double>(plain_[plain_.size() / 2]);
  }

  std::uint64_t runs_;
  EnclaveModel model_;
  std::unique_ptr<Pager> pager_;
  std::uint64_t expected_ = 0;
  std::uint64_t working_set_ = 0;
  std::vector<std::uint64_t> plain_;
};

int hot(const std::string& path, std::uint64_t runs, std::span<const std::string> sizes) {
  HotModel model(path, runs);
  for (const std::string& size : sizes) {
    if (size == "wanted") {
      model.search();
    } else {
      model.measure(size == "fits" ? model.fits() : std::stoull(size));
    }
  }
  std::fflush(stdout);
  ::_exit(0);
}

/// Starts the program again with addresses that do not change from run to run: hash tables of the
/// runtime depend on them, and so would the order in which it touches memory.
void fix_addresses(char** arguments) {
  const int now_set = ::personality(0xffffffff);
  if (now_set < 0 || (now_set & ADDR_NO_RANDOMIZE) != 0) return;
  if (::personality(static_cast<unsigned long>(now_set) | ADDR_NO_RANDOMIZE) < 0) {
    std::fprintf(stderr, "addresses cannot be fixed here: counts may vary from run to run\n");
    return;
  }
  ::execv("/proc/self/exe", arguments);
}

int run_command(const std::vector<std::string>& words) {
  const std::size_t count = words.size();
  if (count == 3 && words[0] == "seal") {
    seal_file(words[1], words[2]);
    return 0;
  }
  if (count == 4 && words[0] == "cold") return cold(words[1], words[2], std::stoull(words[3]));
  if (count >= 4 && words[0] == "hot") {
    return hot(words[1], std::stoull(words[2]), std::span(words).subspan(3));
  }
  std::fprintf(stderr, "usage: epc_bench seal|cold|hot MODEL ...\n");
  return 2;
}

}  // namespace
}  // namespace cloister

int main(int count, char** arguments) {
  cloister::fix_addresses(arguments);
  cloister::enclave_heap();
  return cloister::run_command({arguments + 1, arguments + count});
}
