// The vault's times beside the same work done bare, as lines of "name nanoseconds" and
// "name_cpu nanoseconds" for run.py.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/check.h"
#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/posix_files.h"
#include "support/sample_model.h"
#include "vault/bare.h"
#include "vault/segments.h"
#include "vault/vault.h"

namespace cloister {
namespace {

constexpr unsigned kThreads = 2;
constexpr unsigned kOpenings = 5;  // of what was sealed once: one in three finds slow memory

struct Parts {
  std::unique_ptr<Files> files;
  PosixEntropy entropy;
  PosixClock clock;
  NoAnchor anchor;
};

std::unique_ptr<Vault> open(Parts& parts, IntegrityMode mode, bool create = false,
                            AeadChoice aead = AeadChoice::fastest) {
  VaultSettings settings;
  settings.threads = kThreads;
  settings.integrity = mode;
  settings.aead = aead;
  auto vault = open_vault({*parts.files, parts.entropy, parts.clock, parts.anchor},
                          SecretBytes(ByteVector(32, std::byte{1})), settings, create);
  CLOISTER_CHECK(vault.ok());
  return std::move(vault).value();
}

VersionRef ref(std::uint64_t number) { return {{{"bench"}, "model"}, {number}}; }

VersionRecord record(std::uint64_t number, const SampleModel& sample) {
  VersionRecord made;
  made.ref = ref(number);
  made.signature = sample.model().bundle().signature;
  return made;
}

/// Processor time of all threads so far: what remains comparable on a busy machine.
std::chrono::nanoseconds processor_time() {
  rusage usage{};
  CLOISTER_CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void timed(const char* name, const Clock& clock, const std::function<void()>& work) {
  const auto processor = processor_time();
  const SteadyTime start = clock.steady();
  work();
  const std::chrono::nanoseconds took = clock.steady() - start;
  const auto processed = processor_time() - processor;
  std::printf("%s %lld\n%s_cpu %lld\n", name, static_cast<long long>(took.count()), name,
              static_cast<long long>(processed.count()));
  std::fflush(stdout);
}

PrivateMemory memory_of(std::size_t size) { return PrivateMemory::reserve(size).value(); }

/// Removes `folder`'s files from the page cache; what is dirty must have been synced.
void drop_cache(const std::string& folder, Files& files, const char* below) {
  const auto entries = files.list(below).value();
  for (const FolderEntry& entry : entries) {
    if (entry.kind != FileKind::regular) continue;
    const std::string path = folder + "/" + below + "/" + entry.name;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    CLOISTER_CHECK(file >= 0);
    CLOISTER_CHECK(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    ::close(file);
  }
}

/// How a file is read bare: `threads` at a time, `step` bytes each.
struct BareReading {
  const char* name;
  unsigned threads;
  std::size_t step;
  int flags;  ///< for open(2)
};

/// Reads the one version's file into reused buffers, told that all of it will be read.
void read_bare(const std::string& path, const BareReading& how) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | how.flags);
  CLOISTER_CHECK(file >= 0 && ::posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
  const auto lane = [&](std::size_t first) {
    PrivateMemory buffer = memory_of(how.step);
    for (std::size_t at = first * how.step;; at += how.threads * how.step) {
      const auto count = ::pread(file, buffer.bytes().data(), how.step, static_cast<off_t>(at));
      if (count <= 0) break;
    }
  };
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < how.threads; ++i) others.emplace_back([&lane, i] { lane(i); });
    lane(0);
  }
  ::close(file);
}

/// Has the host back with memory what the next measurement takes: a virtual machine's host may have
/// taken free pages away, and whoever touches them first would pay for that.
void prepare_memory(std::size_t size) {
  PrivateMemory memory = memory_of(size);
  for (std::size_t i = 0; i < size; i += 4096) memory.bytes()[i] = std::byte{1};
}

/// Every round begins with another of its measurements, so that none is always the first.
void in_turn(unsigned round, std::size_t memory, const std::vector<std::function<void()>>& each) {
  for (std::size_t i = 0; i < each.size(); ++i) {
    prepare_memory(memory);
    each[(round + i) % each.size()]();
  }
}

/// The vault and the bare file on one disk, with one model that both seal and open.
class ModelBench {
 public:
  ModelBench(const std::string& folder, std::size_t megabytes)
      : sample_(1, 100'000, megabytes * 1'000'000),
        parts_{open_posix_files(folder, IfAbsent::create).value(), {}, {}, {}},
        store_{open_posix_files(folder + "/store", IfAbsent::create).value(), {}, {}, {}},
        aeads_(make_aeads(AeadChoice::fastest, parts_.clock).value()) {
    std::printf("cipher_%s 0\n", aeads_->name());
    CLOISTER_CHECK(parts_.files->make_folder("bare").ok());
    open(store_, IntegrityMode::tags, true);
  }

  void round(unsigned number) {
    const std::size_t memory = 2 * sample_.weights().size();
    ref_ = ref(number + 1);
    auto vault = open(store_, IntegrityMode::tags);
    in_turn(number, memory, {[&] { seal_bare(); }, [&] { seal(*vault); }});
    for (unsigned again = 0; again < kOpenings; ++again) {
      in_turn(number + again, memory, {[&] { open_bare("open_bare_beside", true); },
                                       [&] { open_bare("open_bare_in_place", false); },
                                       [&] { open_version("open_tags", *vault); }});
    }
    vault = nullptr;
    vault = open(store_, IntegrityMode::full);
    for (unsigned again = 0; again < kOpenings; ++again) {
      in_turn(0, memory, {[&] { open_version("open_full", *vault); }});
    }
    vault = nullptr;
    vault = open(store_, IntegrityMode::tags, false, AeadChoice::openssl);
    in_turn(number, memory, {[&] { open_version("open_tags_openssl", *vault); }});
    CLOISTER_CHECK(vault->erase(ref_).ok());
    CLOISTER_CHECK(parts_.files->remove("bare/file").ok());
  }

 private:
  void seal_bare() {
    timed("seal_bare", parts_.clock, [&] {
      bare_ = BareFile::seal(*parts_.files, "bare/file", *aeads_, sample_.weights(), kThreads);
    });
  }

  void seal(Vault& vault) {
    timed("seal", parts_.clock, [&] {
      auto staged = vault.stage(record(ref_.version.value, sample_), sample_.model());
      CLOISTER_CHECK(staged.ok() && vault.commit(std::move(staged).value()).ok());
    });
  }

  void open_bare(const char* name, bool beside) {
    timed(name, parts_.clock, [&] {
      PrivateMemory memory = memory_of(sample_.weights().size());
      bare_->open(memory.bytes(), kThreads, beside);
    });
  }

  void open_version(const char* name, const Vault& vault) {
    timed(name, parts_.clock, [&] { CLOISTER_CHECK(vault.open_version(ref_).ok()); });
  }

  SampleModel sample_;
  Parts parts_;
  Parts store_;
  std::unique_ptr<AeadMaker> aeads_;
  std::optional<BareFile> bare_;
  VersionRef ref_;
};

void bench_model(const std::string& folder, std::size_t megabytes, int rounds) {
  ModelBench bench(folder, megabytes);
  for (int i = 0; i < rounds; ++i) bench.round(static_cast<unsigned>(i));
}

/// Opening into memory that is already touched: from the page cache, and from the disk beside what
/// the disk gives into two small buffers.
void bench_touched(const std::string& folder, std::size_t megabytes, int rounds) {
  Parts parts{open_posix_files(folder, IfAbsent::create).value(), {}, {}, {}};
  const auto aeads = make_aeads(AeadChoice::fastest, parts.clock).value();
  const StoreKeys keys(*aeads, SecretBytes(ByteVector(32, std::byte{2})));
  const SegmentWork work{keys, kThreads, IntegrityMode::tags};
  VersionEntry entry;
  entry.seed = SecretBytes(kSeedBytes);
  PrivateMemory memory = memory_of(megabytes * 1'000'000);
  for (std::size_t i = 0; i < memory.size(); i += 4096) memory.bytes()[i] = std::byte{1};
  const SegmentContent weights{memory.size(), {{0, memory.bytes()}}};
  {
    const auto file = parts.files->create("touched").value();
    CLOISTER_CHECK(write_version(work, parts.entropy, *file, entry, {}, weights).ok());
  }
  const auto open_as = [&](const char* name) {
    const auto file = parts.files->open_for_reading("touched").value();
    timed(name, parts.clock, [&] {
      CLOISTER_CHECK(read_version_into(work, *file, entry, {}, memory.bytes()).ok());
    });
  };
  // What reads the disk best, buffered and directly, was among these on every machine tried.
  const BareReading readings[] = {{"disk_buffered_2", 2, 1U << 20, 0},
                                  {"disk_buffered_4", 4, 1U << 20, 0},
                                  {"disk_direct_2", 2, 4U << 20, O_DIRECT},
                                  {"disk_direct_8", 8, 4U << 20, O_DIRECT}};
  std::vector<std::function<void()>> each = {[&] {
    drop_cache(folder, *parts.files, "");
    open_as("open_cold");
  }};
  for (const BareReading& how : readings) {
    each.push_back([&] {
      drop_cache(folder, *parts.files, "");
      timed(how.name, parts.clock, [&] { read_bare(folder + "/touched", how); });
    });
  }
  for (int round = 0; round < rounds; ++round) {
    in_turn(static_cast<unsigned>(round), memory.size(), each);
    read_bare(folder + "/touched", readings[0]);  // into the page cache
    open_as("open_touched");
  }
  CLOISTER_CHECK(parts.files->remove("touched").ok());
}

/// The process's memory in KiB, at its peak since `forget_peak` and now.
struct Memory {
  long peak = 0;
  long now = 0;
};
Memory memory_used() {
  Memory memory;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) memory.peak = std::stol(line.substr(6));
    if (line.starts_with("VmRSS:")) memory.now = std::stol(line.substr(6));
  }
  CLOISTER_CHECK(memory.now > 0);
  return memory;
}

void forget_peak() {
  std::ofstream file("/proc/self/clear_refs");
  CLOISTER_CHECK((file << "5").flush().good());
}

/// What opening one model takes at its peak; a process of its own, because peaks stay.
void bench_peak(const std::string& folder) {
  Parts store{open_posix_files(folder, IfAbsent::fail).value(), {}, {}, {}};
  const auto vault = open(store, IntegrityMode::full);
  const auto versions = vault->versions();
  CLOISTER_CHECK(!versions.empty());
  forget_peak();
  const long before = memory_used().now;
  const auto opened = vault->open_version(versions.front().ref);
  CLOISTER_CHECK(opened.ok());
  const auto model = static_cast<long>(opened.value().weights.size() / 1024);
  std::printf("peak_over_model_kib %ld\n", memory_used().peak - before - model);
}

void make_one(const std::string& folder, std::size_t megabytes) {
  Parts store{open_posix_files(folder, IfAbsent::create).value(), {}, {}, {}};
  const SampleModel sample(1, 100'000, megabytes * 1'000'000);
  const auto vault = open(store, IntegrityMode::tags, true);
  forget_peak();
  const long before = memory_used().now;
  auto staged = vault->stage(record(1, sample), sample.model());
  CLOISTER_CHECK(staged.ok() && vault->commit(std::move(staged).value()).ok());
  std::printf("peak_sealing_kib %ld\n", memory_used().peak - before);
}

void add_version(Vault& vault, const SampleModel& sample, std::uint64_t number) {
  auto staged = vault.stage(record(number, sample), sample.model());
  CLOISTER_CHECK(staged.ok() && vault.commit(std::move(staged).value()).ok());
}

/// Makes a store of `count` small versions.
void fill_catalogue(const std::string& folder, std::uint64_t count) {
  Parts store{open_posix_files(folder, IfAbsent::create).value(), {}, {}, {}};
  const SampleModel sample(1, 200, 256);
  const auto vault = open(store, IntegrityMode::tags, true);
  for (std::uint64_t i = 1; i <= count; ++i) add_version(*vault, sample, i);
}

/// Times starts and commits of a store that `fill_catalogue` made.
void bench_catalogue(const std::string& folder, int rounds) {
  Parts store{open_posix_files(folder, IfAbsent::fail).value(), {}, {}, {}};
  const SampleModel sample(1, 200, 256);
  std::uint64_t number = open(store, IntegrityMode::tags)->versions().size();
  for (int round = 0; round < rounds; ++round) {
    std::unique_ptr<Vault> vault;
    timed("start", store.clock, [&] { vault = open(store, IntegrityMode::tags); });
    auto staged = vault->stage(record(++number, sample), sample.model());
    CLOISTER_CHECK(staged.ok());
    timed("commit", store.clock,
          [&] { CLOISTER_CHECK(vault->commit(std::move(staged).value()).ok()); });
  }
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  CLOISTER_CHECK(parsed.ec == std::errc() && parsed.ptr == text.data() + text.size());
  return value;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) {
    std::fputs("usage: vault_bench model|touched|one|peak|fill|catalogue FOLDER SIZE ROUNDS\n",
               stderr);
    return 2;
  }
  const std::string& what = arguments[0];
  const std::string& folder = arguments[1];
  const std::uint64_t size = number_of(arguments[2]);
  const int rounds = static_cast<int>(number_of(arguments[3]));
  if (what == "model") bench_model(folder, size, rounds);
  if (what == "touched") bench_touched(folder, size, rounds);
  if (what == "one") make_one(folder, size);
  if (what == "peak") bench_peak(folder);
  if (what == "fill") fill_catalogue(folder, size);
  if (what == "catalogue") bench_catalogue(folder, rounds);
  return 0;
}

}  // namespace
}  // namespace cloister

int main(int count, char** arguments) {
  return cloister::run(std::vector<std::string>(arguments + 1, arguments + count));
}
