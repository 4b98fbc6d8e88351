#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

#include "base/result.h"

namespace cloister {

// Log lines are declared here, one type each. Fields are ids, codes, counts and durations: no
// text that a request, a model, a file or a library brought has a place to go.

/// A number that stands for one model version in this process's log; it means nothing elsewhere
/// and is not derived from a name.
struct ModelAlias {
  std::uint64_t value = 0;
};

/// The listener answers on `port`; `models` versions were found in the store.
struct ServerStarted {
  std::uint16_t port = 0;
  std::uint64_t models = 0;
};

/// The server stopped; `took` from the signal to the last connection's end.
struct ServerStopped {
  std::chrono::milliseconds took{};
};

/// What a request asked for.
enum class RequestKind : std::uint8_t {
  describe, health, attestation, upload, list, metadata, statistics, infer, load, unload, erase,
  account, none
};

/// One request was answered. `kind` is `none` where no route matched.
struct RequestFinished {
  std::uint64_t connection = 0;
  RequestKind kind = RequestKind::none;
  int status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::chrono::microseconds took{};
};

/// What happened to a model version.
/// `sealed` is on disk and before its trial run, `stored` is for good.
enum class ModelChange : std::uint8_t { sealed, stored, refused, loaded, unloaded, erased };
struct ModelChanged {
  ModelAlias model;
  ModelChange change = ModelChange::stored;
  std::uint64_t bytes = 0;
  std::chrono::microseconds took{};
};

/// Something failed that is nobody's request: a place in the source and a code.
struct OperationFailed {
  Code code = Code::internal;
  Place where = "observe.unknown";
};

using Event = std::variant<ServerStarted, ServerStopped, RequestFinished, ModelChanged,
                           OperationFailed>;

/// Where events go. Safe from any thread; never fails visibly and never blocks for long.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void record(const Event& event) noexcept = 0;
};

}  // namespace cloister
