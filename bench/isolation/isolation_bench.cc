// Prints, a line a run, what one run of a model takes in this process and in a worker, in turn:
// `inline NANOSECONDS` and `process NANOSECONDS`. Arguments: the model's file, rounds.
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

long long nanoseconds_of_run(LoadedModel& model, const Inputs& inputs) {
  RunControl control;
  const auto start = std::chrono::steady_clock::now();
  const auto outputs = model.run(inputs.views, {}, control);
  const auto took = std::chrono::steady_clock::now() - start;
  if (!outputs.ok()) std::exit(1);
  return std::chrono::nanoseconds(took).count();
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
    const long long first = nanoseconds_of_run(here_first ? *here : *there, inputs);
    const long long second = nanoseconds_of_run(here_first ? *there : *here, inputs);
    if (i < rounds / 10 + 3) continue;  // warming up
    std::printf("inline %lld\nprocess %lld\n", here_first ? first : second,
                here_first ? second : first);
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
