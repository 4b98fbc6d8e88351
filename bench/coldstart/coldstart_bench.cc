// Cold starts of one model, in turn, each to the first answer; a line for each phase of each start:
// `NAME NANOSECONDS`. Arguments: the model's file, an empty folder, rounds, "warm" or "cold" (the
// page cache dropped before each start).
#include <fcntl.h>
#include <unistd.h>

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

#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/posix_files.h"
#include "engine/ort/ort_engine.h"
#include "graph/admission.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/sandbox_engine.h"
#include "support/admitted.h"
#include "support/plain_session.h"
#include "vault/vault.h"

namespace cloister {
namespace {

using Time = std::chrono::steady_clock::time_point;
Time now() { return std::chrono::steady_clock::now(); }

void report(const char* name, Time from, Time to) {
  std::printf("%s %lld\n", name,
              static_cast<long long>(std::chrono::nanoseconds(to - from).count()));
}

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

struct Bench {
  std::string plain_path;
  std::string optimised_path;  ///< written by the runtime beforehand: the floor
  std::filesystem::path sealed;
  VersionRef ref{{{"bench"}, "model"}, {1}};
  std::unique_ptr<Vault> vault;
  SandboxEngine* sandbox = nullptr;
  Inputs inputs;
  std::string output;  ///< the first one's name
  std::vector<float> reference;
  bool cold = false;

  void plain(const char* name, const std::string& path, bool optimise) {
    if (cold) drop_from_cache(path);
    const Time start = now();
    PlainSession session(path, optimise);
    const auto answer = session.run(inputs.views, output);
    report(name, start, now());
    if (reference.empty()) reference = answer;
  }

  void encrypted() {
    if (cold) drop_from_cache(sealed);
    const Time start = now();
    const OpenedModel opened = expect(vault->open_version(ref), "opening");
    const Time decrypted = now();
    EngineModel description{&opened.bundle, opened.weights.bytes(), GraphForm::optimised};
    description.weights_file = opened.weights.file();
    description.prepack = false;
    const auto model = expect(sandbox->load(description), "loading");
    const Time created = now();
    RunControl control;
    const auto outputs = expect(model->run(inputs.views, {}, control), "running");
    const Time answered = now();
    report("encrypted", start, answered);
    report("open", start, decrypted);
    report("create", decrypted, created);
    report("first_run", created, answered);
    compare(outputs->tensors(), reference);
    const long long overhead = static_cast<long long>(model->overhead_bytes());
    std::printf("overhead_bytes %lld\n", overhead);
  }
};

/// What an upload does: admits, optimises in a worker, reads the result as hostile, seals it.
void upload(Bench& bench, const std::string& path) {
  const Admitted admitted = admit_file(path);
  const Bytes weights = admitted.weights.bytes().first(admitted.bundle.weights_bytes);
  const Time start = now();
  const PrivateMemory optimised =
      expect(bench.sandbox->optimise({&admitted.bundle, weights}), "optimising");
  report("optimise_at_upload", start, now());
  const GraphAdmission admission(AdmissionBudget{});
  AdmissionVerdict verdict = admission.admit_optimised(optimised.bytes(), admitted.bundle);
  if (const auto* findings = std::get_if<std::vector<Finding>>(&verdict)) {
    std::fprintf(stderr, "the optimised graph is refused: %s %s %s\n",
                 findings->front().rule.c_str(), findings->front().where.c_str(),
                 findings->front().remedy.c_str());
    std::exit(1);
  }
  report("readmit_at_upload", start, now());
  const ValidatedModel& model = std::get<ValidatedModel>(verdict);
  std::ofstream(bench.optimised_path, std::ios::binary)
      .write(reinterpret_cast<const char*>(optimised.bytes().data()),
             static_cast<std::streamsize>(optimised.size()));
  VersionRecord record;
  record.ref = bench.ref;
  record.signature = model.bundle().signature;
  auto staged = expect(bench.vault->stage(record, model), "sealing");
  expect(bench.vault->commit(std::move(staged)), "committing");
  bench.inputs = inputs_of(admitted.bundle.signature);
  bench.output = admitted.bundle.signature.outputs.at(0).name;
  std::printf("weights_bytes %llu\n",
              static_cast<unsigned long long>(model.bundle().weights_bytes));
}

std::filesystem::path largest_file(const std::filesystem::path& folder) {
  std::filesystem::path found;
  std::uintmax_t size = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.file_size() <= size) continue;
    size = entry.file_size();
    found = entry.path();
  }
  return found;
}

void run_bench(const std::string& path, const std::string& folder, int rounds, bool cold) {
  const PosixClock clock;
  PosixEntropy entropy;
  NoAnchor anchor;
  const SealedFile program = expect(seal_file(CLOISTER_WORKER), "worker");
  const SealedFile library = expect(seal_file(CLOISTER_RUNTIME_LIBRARY), "library");
  SandboxSettings settings;
  settings.program = {program.file.number(), library.file.number(), {"1", "1"}};
  settings.lanes = 1;
  const auto sandbox = expect(make_sandbox_engine(settings, clock), "sandbox");

  Bench bench;
  bench.plain_path = path;
  bench.optimised_path = folder + "/optimised.onnx";
  bench.sandbox = sandbox.get();
  bench.cold = cold;
  std::filesystem::create_directory(folder + "/store");
  const auto files = expect(open_posix_files(folder + "/store", IfAbsent::fail), "folder");
  VaultSettings vault_settings;
  vault_settings.shareable_weights = true;
  bench.vault = expect(open_vault({*files, entropy, clock, anchor}, SecretBytes(32),
                                  vault_settings, true),
                       "store");
  upload(bench, path);
  bench.sealed = largest_file(folder + "/store");

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
    std::printf("round %d\n", i);
  }
}

}  // namespace
}  // namespace cloister

int main(int argument_count, char** arguments) {
  if (argument_count != 5) return 2;
  cloister::run_bench(arguments[1], arguments[2], std::atoi(arguments[3]),
                      std::string(arguments[4]) == "cold");
  return 0;
}
