#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cloister {

struct OrtSettings {
  /// Where the runtime's library is: a path, or `/proc/self/fd/N` of a sealed memory file.
  std::string library;
  int intra_op_threads = 1;     ///< threads that work on one node, the caller's included; 1 to 64
  int inter_op_threads = 1;     ///< nodes at a time; 1 to 64
  /// Whether these threads are made with the engine and shared by its models, for a process that
  /// can make none later; else every model has its own.
  bool threads_beforehand = false;
  bool arena = true;            ///< keep freed tensor memory for the next run
  bool memory_pattern = true;   ///< lay one run's tensors out as the last of the same shapes
};

/// The engine that runs models in this process, by ONNX Runtime. Its library is opened at this
/// call, not linked, and never closed. Call it before any other thread runs: it sets variables of
/// the environment, which turn the runtime's telemetry off. `clock` must outlive the engine, and
/// the engine the models that it loaded.
/// Fails: `io` (no such library); `unverified` (it holds a telemetry uploader, or is of another
/// version than 1.27); `invalid` (settings).
Result<std::unique_ptr<Engine>> make_ort_engine(const OrtSettings& settings, const Clock& clock);

}  // namespace cloister
