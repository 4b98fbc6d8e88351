#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloister {

class RequestCounters;

/// Writes Prometheus' text format, version 0.0.4. Names, help and label names are literals of the
/// program; a label's value is one too, or a model's own name that its owner let be shown.
class MetricsText {
 public:
  enum class Kind { counter, gauge, histogram };
  /// Begins a family; samples follow until the next one begins.
  void family(Place name, Kind kind, Place help);
  void sample(double value);
  void sample(Place label, std::string_view label_value, double value);
  void sample(Place first, std::string_view first_value, Place second,
              std::string_view second_value, double value);
  /// A sample of the family's name with `suffix`: "_bucket", "_sum", "_count".
  void part(Place suffix, double value);
  void part(Place suffix, Place label, std::string_view label_value, double value);
  const std::string& text() const noexcept { return text_; }

 private:
  void number(double value);
  std::string text_;
  std::string_view name_;
};

/// The families of `counters`: requests by kind and status, bytes, and inference times.
void write_request_counters(const RequestCounters& counters, MetricsText& out);

}  // namespace cloister
