// One model, as `PART NAME NUMBER`, a line for each phase of each start, in nanoseconds. Arguments:
// the model's file, an empty folder, rounds, and the parts: "warm" and "cold" are starts in turn,
// each to the first answer, with the page cache as it is or dropped before each; "hot" is runs in
// turn, once everything is warm.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/posix_files.h"
#include "engine/ort/ort_engine.h"
#include "graph/admission.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/sandbox_engine.h"
#include "serving/trial.h"
#include "support/admitted.h"
#include "support/plain_session.h"
#include "vault/vault.h"

namespace cloister {
namespace {

using Time = std::chrono::steady_clock::time_point;
Time now() { return std::chrono::steady_clock::now(); }

struct Reporter {
  std::string part = "upload";
  void operator()(const char* name, std::uint64_t number) const {
    std::printf("%s %s %llu\n", part.c_str(), name, static_cast<unsigned long long>(number));
  }
  void operator()(const char* name, Time from, Time to) const {
    (*this)(name, static_cast<std::uint64_t>(std::chrono::nanoseconds(to - from).count()));
  }
};

template <class T>
T expect(Result<T> result, const char* what) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s failed: %s\n", what, result.error().where.text);
    std::exit(1);
  }
  return std::move(result).value();
}

void drop_from_cache(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

/// Answers must agree with the plain runtime's: relative to the largest value.
void compare(const std::vector<NamedTensorView>& ours, const std::vector<float>& reference) {
  const Bytes data = ours.at(0).tensor.data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), values.size() * sizeof(float));
  float largest = 0;
  float difference = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, std::abs(reference.at(i)));
    difference = std::max(difference, std::abs(values[i] - reference[i]));
  }
  if (!(difference <= 1e-4F * largest)) {
    std::fprintf(stderr, "answers differ by %g of %g\n", static_cast<double>(difference),
                 static_cast<double>(largest));
    std::exit(1);
  }
}

/// Time so far, and processor time of this process and of `model`'s workers.
struct Spent {
  explicit Spent(const LoadedModel* model = nullptr) {
    timespec own{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    busy = std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec);
    if (model != nullptr) busy += model->processor_time().value_or(std::chrono::nanoseconds(0));
  }
  Time time = now();
  std::chrono::nanoseconds busy;
};

/// What the runs of one session took.
class Runs {
 public:
  void add(const Spent& before, const Spent& after) {
    times_.push_back(after.time - before.time);
    busy_.push_back(after.busy - before.busy);
  }
  void report(const Reporter& reporter, const std::string& name) {
    reporter(name.c_str(), median(times_));
    reporter((name + "_busy").c_str(), median(busy_));
  }

 private:
  static std::uint64_t median(std::vector<std::chrono::nanoseconds>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return static_cast<std::uint64_t>(middle->count());
  }
  std::vector<std::chrono::nanoseconds> times_;
  std::vector<std::chrono::nanoseconds> busy_;
};

// How quick a session is depends by a tenth and more on where its memory happens to lie: sessions
// and workers are made several times, and what is reported of each is the median of its runs.
constexpr int kHotSessions = 7;
constexpr int kHotSessionsQuick = 2;  // where fewer rounds are wanted than there are sessions
constexpr std::chrono::seconds kHotTime{2};
constexpr int kHotRoundsMax = 60;
// Between starts: a worker is started in the place of the one that the last start took.
constexpr std::chrono::milliseconds kSpareTime{400};

struct Bench {
  std::string plain_path;
  std::string optimised_path;  ///< written by the runtime beforehand: the floor
  std::vector<std::filesystem::path> sealed;
  VersionRef ref{{{"bench"}, "model"}, {1}};
  std::unique_ptr<Vault> vault;
  SandboxEngine* sandbox = nullptr;
  Inputs inputs;
  std::string output;  ///< the first one's name
  std::vector<float> reference;
  Reporter report;

  bool cold() const { return report.part == "cold"; }
  void plain(const char* name, const std::string& path, bool optimise) {
    if (cold()) drop_from_cache(path);
    const Time start = now();
    PlainSession session(path, optimise);
    const auto answer = session.run(inputs.views, output);
    report(name, start, now());
    if (reference.empty()) reference = answer;
  }

  EngineModel description(const OpenedModel& opened) const {
    if (!opened.optimised) {
      std::fprintf(stderr, "the optimised form is not used\n");
      std::exit(1);
    }
    EngineModel model{&opened.bundle, opened.weights.bytes(), GraphForm::optimised};
    model.weights_file = opened.weights.file();
    model.prepack = false;
    if (opened.filling) model.arrival = &opened.filling->arrival();
    return model;
  }

  void encrypted() {
    if (cold()) std::for_each(sealed.begin(), sealed.end(), drop_from_cache);
    std::this_thread::sleep_for(kSpareTime);
    const Time start = now();
    const OpenedModel opened =
        expect(vault->open_version(ref, {sandbox->optimises_for(), true}), "opening");
    const Time graph_read = now();
    Time arrived = graph_read;
    const std::jthread weights([&] {
      expect(opened.filling->arrival().wait(), "reading weights");
      arrived = now();
    });
    const auto model = expect(sandbox->load(description(opened)), "loading");
    const Time created = now();
    RunControl control;
    const auto outputs = expect(model->run(inputs.views, {}, control), "running");
    const Time answered = now();
    report("encrypted", start, answered);
    report("open", start, graph_read);
    report("create", graph_read, created);
    report("first_run", created, answered);
    report("weights", start, arrived);
    compare(outputs->tensors(), reference);
    report("overhead_bytes", model->overhead_bytes());
  }

  /// Runs of the runtime called directly and of a model that is loaded, and packed where that pays,
  /// as a server has it within a minute of its first use, in turn. Beside the time, the processor
  /// time of all that took part: other work on the machine does not change it.
  void hot(int rounds) {
    const int sessions = rounds < kHotSessions ? kHotSessionsQuick : kHotSessions;
    for (int i = 0; i < sessions; ++i) hot_session(std::max(3, rounds / sessions));
  }

  /// At least `rounds` of each, and more of a model that is quick.
  void hot_session(int rounds) {
    PlainSession plain_session(plain_path, true);
    const OpenedModel opened =
        expect(vault->open_version(ref, {sandbox->optimises_for(), true}), "opening");
    const auto model = expect(sandbox->load(description(opened)), "loading");
    if (reference.empty()) reference = plain_session.run(inputs.views, output);
    RunControl control;
    expect(model->run(inputs.views, {}, control), "running");
    if (opened.worth_packing) expect(model->pack(), "packing");
    report("worth_packing", opened.worth_packing ? 1 : 0);
    Runs of_direct;
    Runs of_ours;
    const auto direct = [&](bool warm) {
      const Spent before;
      const auto answer = plain_session.run(inputs.views, output);
      if (warm) of_direct.add(before, Spent());
    };
    const auto ours = [&](bool warm) {
      const Spent before(model.get());
      const auto outputs = expect(model->run(inputs.views, {}, control), "running");
      if (warm) of_ours.add(before, Spent(model.get()));
      compare(outputs->tensors(), reference);
    };
    const Time enough = now() + kHotTime;
    for (int i = -1; i < rounds || (now() < enough && i < kHotRoundsMax); ++i) {
      if (i % 2 == 0) direct(i >= 0);
      ours(i >= 0);
      if (i % 2 != 0) direct(i >= 0);
    }
    of_direct.report(report, "direct");
    of_ours.report(report, "ours");
    report("overhead_bytes", model->overhead_bytes());
  }
};

class NoEvents final : public EventSink {
 public:
  void record(const Event&) noexcept override {}
};

/// Memory that nobody bounds.
class NoBound final : public MemoryHold {
 public:
  void add(LoadedModel&, std::uint64_t) override {}
  void remove(LoadedModel&) override {}
  bool exceeded_all() const override { return false; }
};

/// What a server does at upload; and the plain file, optimised, that the floor starts from.
void upload(Bench& bench, const std::string& path, const Clock& clock) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  PrivateMemory bytes =
      expect(PrivateMemory::reserve(static_cast<std::uint64_t>(file.tellg())), "memory");
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.bytes().data()),
            static_cast<std::streamsize>(bytes.size()));
  const GraphAdmission admission(AdmissionBudget{});
  NoEvents events;
  const TrialParts parts{*bench.sandbox, admission, clock, events};
  std::unique_ptr<StagedVersion> staged;
  {
    const AdmissionVerdict verdict = admission.admit(bytes.bytes());
    VersionRecord record;
    record.ref = bench.ref;
    record.signature = std::get<ValidatedModel>(verdict).bundle().signature;
    bench.inputs = inputs_of(record.signature);
    bench.output = record.signature.outputs.at(0).name;
    staged = expect(bench.vault->stage(record, std::get<ValidatedModel>(verdict)), "sealing");
  }
  bytes = PrivateMemory();
  const OpenedModel opened = expect(staged->open(), "opening");
  EngineModel canonical{&opened.bundle, opened.weights.bytes()};
  canonical.weights_file = opened.weights.file();
  const PrivateMemory optimised = expect(bench.sandbox->optimise(canonical), "optimising");
  std::ofstream(bench.optimised_path, std::ios::binary)
      .write(reinterpret_cast<const char*>(optimised.bytes().data()),
             static_cast<std::streamsize>(optimised.size()));
  bench.report("weights_bytes", opened.weights.size());
  const Time start = now();
  expect(add_optimised_form(parts, *staged), "the optimised form");
  const Time sealed = now();
  NoBound memory;
  expect(try_out(parts, {.run = true}, memory, *staged), "the trial");
  bench.report("optimise", start, sealed);
  bench.report("trial", sealed, now());
  expect(bench.vault->commit(std::move(staged)), "committing");
}

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  return found;
}

void run_starts(Bench& bench, int rounds) {
  std::vector<std::function<void()>> starts = {
      [&] { bench.plain("plain", bench.plain_path, true); },
      [&] { bench.plain("floor", bench.optimised_path, false); },
      [&] { bench.encrypted(); },
  };
  bench.plain("warmup", bench.plain_path, true);
  std::minstd_rand random(1);
  for (int i = 0; i < rounds; ++i) {
    std::shuffle(starts.begin(), starts.end(), random);
    for (const auto& start : starts) start();
  }
}

void run_bench(const std::string& path, const std::string& folder, int rounds,
               const std::vector<std::string>& bench_parts) {
  const PosixClock clock;
  PosixEntropy entropy;
  NoAnchor anchor;
  const SealedFile program = expect(seal_file(CLOISTER_WORKER), "worker");
  const SealedFile library = expect(seal_file(CLOISTER_RUNTIME_LIBRARY), "library");
  SandboxSettings settings;
  settings.program = {program.file.number(), library.file.number(), {"1", "1"}};
  settings.lanes = 1;
  settings.runtime = "bench";
  const auto sandbox = expect(make_sandbox_engine(settings, clock), "sandbox");

  Bench bench;
  bench.plain_path = path;
  bench.optimised_path = folder + "/optimised.onnx";
  bench.sandbox = sandbox.get();
  std::filesystem::create_directory(folder + "/store");
  const auto files = expect(open_posix_files(folder + "/store", IfAbsent::fail), "folder");
  VaultSettings vault_settings;
  ShareableMemoryPool weights_memory(1ULL << 30);  // as a server with its default budget
  vault_settings.shareable_weights = &weights_memory;
  bench.vault = expect(open_vault({*files, entropy, clock, anchor}, SecretBytes(32),
                                  vault_settings, true),
                       "store");
  upload(bench, path, clock);
  bench.sealed = files_below(folder + "/store/versions");
  for (const std::string& part : bench_parts) {
    bench.report.part = part;
    if (part == "hot") {
      bench.hot(rounds);
    } else {
      run_starts(bench, rounds);
    }
  }
}

}  // namespace
}  // namespace cloister

int main(int argument_count, char** arguments) {
  if (argument_count < 5) return 2;
  cloister::run_bench(arguments[1], arguments[2], std::atoi(arguments[3]),
                      {arguments + 4, arguments + argument_count});
  return 0;
}
