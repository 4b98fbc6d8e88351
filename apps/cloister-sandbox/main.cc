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

using std::string_view_literals::operator""sv;

Result<int> number_of(std::string_view text) {
  int number = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return Error{Code::invalid, "worker.argument"};
  return number;
}

/// y = Identity(x) on a scalar, as a ModelProto: graph g, ONNX version 8, operator set 17.
constexpr std::string_view kSmallestModel =
    "\x08\x08\x3a\x2f\x0a\x10\x0a\x01x\x12\x01y\x22\x08Identity\x12\x01g"
    "\x5a\x0b\x0a\x01x\x12\x06\x0a\x04\x08\x01\x12\x00"
    "\x62\x0b\x0a\x01y\x12\x06\x0a\x04\x08\x01\x12\x00"
    "\x42\x02\x10\x11"sv;

/// The engine, after it loaded and ran something: the first session of a process builds tables that
/// later ones find, and that time is better spent before a model waits for it.
Result<std::unique_ptr<Engine>> warm_engine(const OrtSettings& settings, const Clock& clock) {
  CLOISTER_ASSIGN(auto engine, make_ort_engine(settings, clock));
  GraphBundle bundle;
  bundle.graph = copy_of(bytes_of(kSmallestModel));
  bundle.signature.outputs = {{"y", DType::f32, true, {}}};
  CLOISTER_ASSIGN(const auto model, engine->load({&bundle, {}}));
  const float zero = 0;
  const TensorView x{DType::f32, {}, std::as_bytes(std::span(&zero, 1))};
  RunControl control;
  CLOISTER_TRY(model->run({{"x", x}}, {}, control));
  return engine;
}

Status work(std::span<char*> arguments) {
  if (arguments.size() != 3) return Error{Code::invalid, "worker.arguments"};
  OrtSettings settings;
  settings.library = "/proc/self/fd/" + std::to_string(kWorkerLibrary);
  CLOISTER_ASSIGN(settings.intra_op_threads, number_of(arguments[1]));
  CLOISTER_ASSIGN(settings.inter_op_threads, number_of(arguments[2]));
  settings.threads_beforehand = true;  // none can be made once the door is closed
  const PosixClock clock;
  return run_worker([&] { return warm_engine(settings, clock); });
}

}  // namespace
}  // namespace cloister

int main(int argument_count, char** arguments) {
  const auto count = static_cast<std::size_t>(argument_count);
  return cloister::work({arguments, count}).ok() ? 0 : 1;
}
