#include "engine_choice.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "encoding/hex.h"
#include "engine/ort/ort_engine.h"
#include "sandbox/linux/inline_engine.h"
#include "sandbox/linux/sandbox_engine.h"

namespace cloister {
namespace {

constexpr unsigned kLanesMax = 16;

// Bounds what a worker may ask for, not what it takes: the budget bounds that.
constexpr std::uint64_t kWorkerMemoryLeast = 1ULL << 30;

WorkerScope scope_named(std::string_view name) {
  if (name == "model") return WorkerScope::model;
  return name == "request" ? WorkerScope::request : WorkerScope::principal;
}

/// What a host that permits less than is demanded is told.
Error too_weak(const ServerConfig& config) {
  std::string words;
  for (const std::string& each : config.sandbox_require) words += " " + each;
  return Error{Code::unavailable, "start.sandbox",
               Detail("no worker could be started with what \"sandbox_require\" demands:" + words)};
}

}  // namespace

Result<EngineChoice> choose_engine(const ServerConfig& config, const Software& software,
                                   const Clock& clock) {
  std::string runtime;  // without a name nothing is optimised ahead
  if (config.optimised_forms) runtime = hex_encode(sha256(software.library.content.bytes()));
  if (config.isolation == "inline") {
    OrtSettings settings;
    settings.library = software.library.path();
    settings.intra_op_threads = static_cast<int>(config.intra_op_threads);
    settings.inter_op_threads = static_cast<int>(config.inter_op_threads);
    CLOISTER_ASSIGN(auto engine, make_ort_engine(settings, clock));
    return EngineChoice{make_inline_engine(std::move(engine), runtime), "none"};
  }
  CLOISTER_CHECK(software.worker.has_value());
  SandboxSettings settings;
  settings.program = {software.worker->file.number(), software.library.file.number(),
                      {std::to_string(config.intra_op_threads),
                       std::to_string(config.inter_op_threads)}};
  settings.lanes = std::min(config.run_threads, kLanesMax);
  settings.scope = scope_named(config.worker_scope);
  settings.worker_memory_max = std::max(config.memory_budget_bytes, kWorkerMemoryLeast);
  settings.runtime = runtime;
  CLOISTER_ASSIGN(settings.demanded, Confinement::of(config.sandbox_require));
  auto engine = make_sandbox_engine(settings, clock);
  if (!engine.ok() && engine.error().code == Code::unavailable) return too_weak(config);
  if (!engine.ok()) return engine.error();
  std::string sandbox = engine.value()->in_force().words() + " scope-" + config.worker_scope;
  return EngineChoice{std::move(engine).value(), std::move(sandbox)};
}

}  // namespace cloister
