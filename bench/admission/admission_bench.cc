// What admission costs: one large model against copies of its bytes, and every hostile model.
//   admission_bench MODEL ROUNDS   a line "admit NS", "copies NS", "extra_kib N" each round
//   admission_bench hostile        a line "refusal_us N" and "refusal_kib N" for each

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <variant>

#include "graph/admission.h"
#include "hostile_models/hostile_models.h"
#include "secret/private_memory.h"

namespace cloister {
namespace {

using Time = std::chrono::steady_clock::time_point;

long long nanoseconds_since(Time start) {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

/// A line of /proc/self/status, in KiB.
long status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}

/// Starts a new measurement of the peak of resident memory; returns where it stands.
long reset_peak_kib() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  return status_kib("VmRSS");
}

PrivateMemory read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  const auto size = static_cast<std::size_t>(file.tellg());
  PrivateMemory memory = PrivateMemory::reserve(size).value();
  file.seekg(0);
  file.read(reinterpret_cast<char*>(memory.bytes().data()), static_cast<std::streamsize>(size));
  return memory;
}

void measure(const std::string& path, int rounds) {
  const GraphAdmission admission(AdmissionBudget{});
  PrivateMemory upload = read_whole(path);
  PrivateMemory copy = PrivateMemory::reserve(upload.size()).value();
  std::memcpy(copy.bytes().data(), upload.bytes().data(), upload.size());  // touches every page
  for (int round = 0; round < rounds; ++round) {
    const Time copying = std::chrono::steady_clock::now();
    for (int i = 0; i < 2; ++i) {
      std::memcpy(copy.bytes().data(), upload.bytes().data(), upload.size());
    }
    std::printf("copies %lld\n", nanoseconds_since(copying));
    const long before = reset_peak_kib();
    const Time admitting = std::chrono::steady_clock::now();
    const AdmissionVerdict verdict = admission.admit(upload.bytes());
    std::printf("admit %lld\n", nanoseconds_since(admitting));
    std::printf("extra_kib %ld\n", status_kib("VmHWM") - before);
    if (!std::holds_alternative<ValidatedModel>(verdict)) std::exit(1);
  }
}

void measure_refusals() {
  const GraphAdmission admission(AdmissionBudget{});
  for (const HostileModel& model : hostile_models()) {
    const long before = reset_peak_kib();
    const Time start = std::chrono::steady_clock::now();
    const AdmissionVerdict verdict = admission.admit(model.bytes);
    std::printf("refusal_us %lld\n", nanoseconds_since(start) / 1000);
    std::printf("refusal_kib %ld\n", status_kib("VmHWM") - before);
    if (std::holds_alternative<ValidatedModel>(verdict)) std::exit(1);
  }
}

}  // namespace
}  // namespace cloister

int main(int count, char** arguments) {
  if (count == 2 && std::string(arguments[1]) == "hostile") {
    cloister::measure_refusals();
    return 0;
  }
  if (count != 3) return 2;
  cloister::measure(arguments[1], std::atoi(arguments[2]));
  return 0;
}
