#include "observe/json_line_events.h"

#include <string_view>

#include "observe/request_counters.h"

namespace cloister {
namespace {

/// Builds one JSON object. Names and texts are literals of this file or of result.cc, so nothing
/// needs escaping.
class Line {
 public:
  Line(std::string_view event, UtcSeconds now) {
    text_ = "{\"event\":\"";
    text_ += event;
    text_ += '"';
    number("utc", now.time_since_epoch().count());
  }
  template <class Integer>
  Line& number(std::string_view name, Integer value) {
    key(name);
    text_ += std::to_string(value);
    return *this;
  }
  Line& text(std::string_view name, std::string_view value) {
    key(name);
    text_ += '"';
    text_ += value;
    text_ += '"';
    return *this;
  }
  std::string end() { return std::move(text_ += '}'); }

 private:
  void key(std::string_view name) {
    text_ += ",\"";
    text_ += name;
    text_ += "\":";
  }
  std::string text_;
};

std::string_view name_of_change(ModelChange change) {
  switch (change) {
    case ModelChange::sealed: return "sealed";
    case ModelChange::stored: return "stored";
    case ModelChange::refused: return "refused";
    case ModelChange::loaded: return "loaded";
    case ModelChange::unloaded: return "unloaded";
    case ModelChange::erased: return "erased";
  }
  return "none";
}

struct Writer {
  UtcSeconds now;

  std::string operator()(const ServerStarted& event) const {
    return Line("server_started", now).number("port", event.port).number("models", event.models)
        .end();
  }
  std::string operator()(const ServerStopped& event) const {
    return Line("server_stopped", now)
        .number("took_us", std::chrono::microseconds(event.took).count()).end();
  }
  std::string operator()(const RequestFinished& event) const {
    return Line("request_finished", now)
        .number("connection", event.connection)
        .text("kind", name_of(event.kind))
        .number("status", event.status)
        .number("bytes_in", event.bytes_in)
        .number("bytes_out", event.bytes_out)
        .number("took_us", event.took.count()).end();
  }
  std::string operator()(const ModelChanged& event) const {
    return Line("model_changed", now)
        .number("model", event.model.value)
        .text("change", name_of_change(event.change))
        .number("bytes", event.bytes)
        .number("took_us", event.took.count()).end();
  }
  std::string operator()(const OperationFailed& event) const {
    return Line("operation_failed", now)
        .text("code", name_of(event.code))
        .text("where", event.where.text).end();
  }
};

}  // namespace

std::string json_line(const Event& event, UtcSeconds now) { return std::visit(Writer{now}, event); }

void JsonLineEvents::record(const Event& event) noexcept {
  try {
    const std::string line = json_line(event, clock_.utc()) + '\n';
    // One call writes the whole line: the stream's own lock keeps lines of threads apart.
    std::fwrite(line.data(), 1, line.size(), out_);
    std::fflush(out_);
  } catch (...) {
    // Out of memory: the line is lost, the request is not.
  }
}

}  // namespace cloister
