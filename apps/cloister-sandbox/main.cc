// The worker: runs one model for cloisterd, which starts it and hands it everything. It has no
// arguments but the runtime's thread counts, no configuration, no output.
#include <charconv>
#include <string_view>

#include "base/posix/posix_clock.h"
#include "engine/ort/ort_engine.h"
#include "sandbox/linux/worker.h"
#include "sandbox/linux/worker_process.h"

namespace cloister {
namespace {

Result<int> number_of(std::string_view text) {
  int number = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return Error{Code::invalid, "worker.argument"};
  return number;
}

Status work(std::span<char*> arguments) {
  if (arguments.size() != 3) return Error{Code::invalid, "worker.arguments"};
  OrtSettings settings;
  settings.library = "/proc/self/fd/" + std::to_string(kWorkerLibrary);
  CLOISTER_ASSIGN(settings.intra_op_threads, number_of(arguments[1]));
  CLOISTER_ASSIGN(settings.inter_op_threads, number_of(arguments[2]));
  const PosixClock clock;
  return run_worker([&] { return make_ort_engine(settings, clock); });
}

}  // namespace
}  // namespace cloister

int main(int argument_count, char** arguments) {
  const auto count = static_cast<std::size_t>(argument_count);
  return cloister::work({arguments, count}).ok() ? 0 : 1;
}
