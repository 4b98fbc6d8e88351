#pragma once

#include <cstdio>
#include <string>

#include "base/clock.h"
#include "observe/events.h"

namespace cloister {

/// One event as a JSON object without a line end: `event`, `utc` (seconds), then its fields.
/// Durations are whole microseconds (`..._us`).
std::string json_line(const Event& event, UtcSeconds now);

/// Writes each event as one line of JSON to `out`, which stays the caller's. A line that cannot be
/// written is lost.
class JsonLineEvents final : public EventSink {
 public:
  JsonLineEvents(const Clock& clock, std::FILE* out) noexcept : clock_(clock), out_(out) {}
  void record(const Event& event) noexcept override;

 private:
  const Clock& clock_;
  std::FILE* out_;
};

}  // namespace cloister
