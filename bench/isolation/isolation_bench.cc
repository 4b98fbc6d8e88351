// Prints, a line a run, what one run of a model takes in this process and in a worker, in turn:
// `inline NANOSECONDS` and `process NANOSECONDS`; and the processor time of both processes for it:
// `inline_busy NANOSECONDS` and `process_busy NANOSECONDS`. Arguments: the model's file, rounds.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/posix/posix_clock.h"
#include "engine/ort/ort_engine.h"
#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/sandbox_engine.h"
#include "support/admitted.h"

namespace cloister {
namespace {

struct Cost {
  std::chrono::nanoseconds time;
  std::chrono::nanoseconds busy;
};

/// Processor time of this process and of `model`'s worker, where it has one.
std::chrono::nanoseconds busy_time(const LoadedModel& model) {
  timespec own{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  return std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec) +
         model.processor_time().value_or(std::chrono::nanoseconds(0));
}

Cost cost_of_run(LoadedModel& model, const Inputs& inputs) {
  RunControl control;
  const auto busy = busy_time(model);
  const auto start = std::chrono::steady_clock::now();
  const auto outputs = model.run(inputs.views, {}, control);
  const auto took = std::chrono::steady_clock::now() - start;
  if (!outputs.ok()) std::exit(1);
  return {took, busy_time(model) - busy};
}

void print(const char* name, const Cost& cost) {
  std::printf("%s %lld\n%s_busy %lld\n", name, static_cast<long long>(cost.time.count()), name,
              static_cast<long long>(cost.busy.count()));
}

void bench(const std::string& path, int rounds) {
  const PosixClock clock;
  const auto direct = make_ort_engine({.library = CLOISTER_RUNTIME_LIBRARY}, clock).value();
  const SealedFile program = seal_file(CLOISTER_WORKER).value();
  const SealedFile library = seal_file(CLOISTER_RUNTIME_LIBRARY).value();
  SandboxSettings settings;
  settings.program = {program.file.number(), library.file.number(), {"1", "1"}};
  settings.spares = 0;
  const auto sandbox = make_sandbox_engine(settings, clock).value();

  const Admitted admitted = admit_file(path);
  const EngineModel model{&admitted.bundle,
                          admitted.weights.bytes().first(admitted.bundle.weights_bytes)};
  const auto here = direct->load(model).value();
  const auto there = sandbox->load(model).value();
  const Inputs inputs = inputs_of(admitted.bundle.signature);
  for (int i = 0; i < rounds + rounds / 10 + 3; ++i) {
    const bool here_first = i % 2 == 0;
    const Cost first = cost_of_run(here_first ? *here : *there, inputs);
    const Cost second = cost_of_run(here_first ? *there : *here, inputs);
    if (i < rounds / 10 + 3) continue;  // warming up
    print("inline", here_first ? first : second);
    print("process", here_first ? second : first);
  }
  std::printf("overhead_bytes %llu\nweights_bytes %llu\n",
              static_cast<unsigned long long>(there->overhead_bytes()),
              static_cast<unsigned long long>(admitted.bundle.weights_bytes));
}

}  // namespace
}  // namespace cloister

int main(int argument_count, char** arguments) {
  if (argument_count != 3) return 2;
  cloister::bench(arguments[1], std::atoi(arguments[2]));
  return 0;
}
